import { hash } from "@node-rs/argon2";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { users } from "../../../drizzle/users/schema.ts";
import { newId } from "../../../lib/ids.ts";
import { connectDatabase } from "../../../lib/postgres.ts";
import { createUsersContext, freshEmail, logIn, PASSWORD } from "../../../tests/support/users-service.ts";
import { findSharedEmails } from "../accounts/find-shared-emails.ts";
import { insertUser } from "../accounts/insert-user.ts";
import { registerPlayer } from "../accounts/register-player.ts";
import { searchUsers } from "../accounts/search-users.ts";
import { emailSchema } from "../passwords/credentials.ts";
import { checkPassword } from "../passwords/passwords.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
beforeAll(async () => {
  ctx = await createUsersContext();
});
afterAll(() => ctx.stop());

/** As the API does, whose schema puts the address into the form that is stored. */
const register = (email: string, password = PASSWORD) =>
  registerPlayer(ctx, { email: emailSchema.parse(email), password, traceparent: undefined });
const hashOf = async (id: string) =>
  (await ctx.db.select({ passwordHash: users.passwordHash }).from(users).where(eq(users.id, id)))[0]?.passwordHash;
const invalid = { code: "invalid_credentials" };

/** A row from before passwords and addresses had one form. */
async function olderUser({ email = freshEmail(), password = PASSWORD }) {
  const passwordHash = await hash(password);
  const { id } = await insertUser(ctx.db, { email, passwordHash, role: "player", currency: "EUR" });
  return { id, email, passwordHash };
}

describe("a password", () => {
  const composed = "Zoë's caffè — crème";
  const forms = [composed.normalize("NFC"), composed.normalize("NFD"), composed.replaceAll(" ", "\u00a0")];

  test("is the same however it is written", async () => {
    for (const chosen of forms) {
      const email = freshEmail();
      const { id } = await register(email, chosen);
      for (const typed of forms) expect((await logIn(ctx, { email, password: typed })).user.id).toBe(id);
      await expect(logIn(ctx, { email, password: composed.toLowerCase() })).rejects.toMatchObject(invalid);
      await expect(
        logIn(ctx, { email, password: composed.normalize("NFD").replace(/\p{M}/gu, "") }),
      ).rejects.toMatchObject(invalid);
    }
  });

  test.each(forms.slice(1))(
    "that was hashed as it was sent is good as before, and then in every form: %j",
    async (old) => {
      const user = await olderUser({ password: old });
      await expect(logIn(ctx, { email: user.email, password: composed })).rejects.toMatchObject(invalid);
      expect(await hashOf(user.id)).toBe(user.passwordHash);

      expect((await logIn(ctx, { email: user.email, password: old })).user.id).toBe(user.id);
      const rehashed = (await hashOf(user.id)) as string;
      expect(rehashed).not.toBe(user.passwordHash);
      expect(await checkPassword(old, rehashed)).toBe("right");
      expect((await logIn(ctx, { email: user.email, password: composed })).user.id).toBe(user.id);
      // Once is enough.
      expect(await hashOf(user.id)).toBe(rehashed);
    },
  );

  test("that is right lets in although it can't be hashed anew now", async () => {
    const user = await olderUser({ password: forms[1] as string });
    const url = `${ctx.databaseUrl}?default_transaction_read_only=on`;
    const readOnly = connectDatabase({ url, name: "test", connectionsMax: 1 });
    const session = await logIn({ ...ctx, db: readOnly.db }, { email: user.email, password: forms[1] as string });
    await readOnly.close();
    expect(session.user.id).toBe(user.id);
    expect(await hashOf(user.id)).toBe(user.passwordHash);
  });
});

describe("an e-mail address", () => {
  const forms = (name: string) => [
    `${name}@bücher.example`,
    `${name}@BU\u0308CHER.example`,
    `${name}@xn--bcher-kva.example`,
    `${name.toUpperCase()}@XN--BCHER-KVA.EXAMPLE`,
  ];

  test("is taken once, and found by login and search, whichever form is written", async () => {
    for (const chosen of forms(`chosen-${newId()}`)) {
      const name = `ada-${newId()}`;
      const [, domain] = chosen.split("@");
      const player = await register(`${name}@${domain}`);
      expect(player.email).toBe(`${name}@xn--bcher-kva.example`);
      for (const typed of forms(name)) {
        await expect(register(typed)).rejects.toMatchObject({ code: "email_taken" });
        expect((await logIn(ctx, { email: typed, password: PASSWORD })).user.id).toBe(player.id);
        const { data } = await searchUsers(ctx, { q: typed, limit: 2, searchedBy: { actorId: null } });
        expect(data.map(({ id }) => id)).toEqual([player.id]);
      }
    }
  });

  test("of an older account lets its owner in, in a form that nobody is given any more", async () => {
    for (const email of [`ada-${newId()}@xn--zzzz.com`, `ada-${newId()}@bücher.example`]) {
      const { id } = await olderUser({ email });
      expect((await logIn(ctx, { email, password: PASSWORD })).user.id).toBe(id);
    }
  });

  test("that two accounts have in two forms is listed, lets each in by its own form, and merges nothing", async () => {
    const name = `eve-${newId()}`;
    expect((await findSharedEmails(ctx)).flat()).toEqual([]);
    const older = await olderUser({ email: `${name}@bücher.example` });
    await olderUser({ email: `lone-${newId()}@bücher.example` });
    const newer = await register(`${name}@bücher.example`, "another long password");
    expect(await findSharedEmails(ctx)).toEqual([[older.id, newer.id]]);
    expect((await logIn(ctx, { email: older.email, password: PASSWORD })).user.id).toBe(older.id);
    const typed = { email: newer.email, password: "another long password" };
    expect((await logIn(ctx, typed)).user.id).toBe(newer.id);
    expect(await findSharedEmails(ctx)).toEqual([[older.id, newer.id]]);
  });
});
