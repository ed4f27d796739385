import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import {
  createUsersClient,
  createUsersContext,
  createUsersDeps,
  freshEmail,
  PASSWORD,
} from "../../tests/support/users-service.ts";
import { createAddressLimits, LOGINS_PER_ADDRESS, REGISTRATIONS_PER_ADDRESS } from "./address-limits.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let client: Awaited<ReturnType<typeof createUsersClient>>;
beforeAll(async () => {
  ctx = await createUsersContext();
  const deps = await createUsersDeps(ctx);
  client = await createUsersClient({ ...deps, addressLimits: createAddressLimits(ctx.redis, "on") });
});
afterAll(() => ctx.stop());

/** @returns what each of so many requests of one address was answered */
async function send(route: string, times: number, bodyOf: () => unknown, address: string) {
  const headers = { "x-forwarded-for": address };
  const answers = await Promise.all(
    Array.from({ length: times }, () => client.send(`POST /api/v1/auth/${route}`, { json: bodyOf(), headers })),
  );
  return answers.map(({ status, body, headers: answered }) => ({
    status,
    code: body.code,
    retryAfter: Number(answered.get("retry-after")),
  }));
}

test.each([
  ["login", LOGINS_PER_ADDRESS, () => ({ email: freshEmail(), password: PASSWORD }), 401],
  // Refused before anything is hashed or stored.
  ["register", REGISTRATIONS_PER_ADDRESS, () => ({ email: freshEmail(), password: PASSWORD }), 201],
])("one address may %s so often and no more, and others are left alone", async (route, limit, bodyOf, status) => {
  const address = `2001:db8::${newId().slice(-4)}`;
  const answers = await send(route, limit.points + 5, bodyOf, address);
  const refused = answers.filter((answer) => answer.status === 429);
  expect([answers.filter((answer) => answer.status === status).length, refused.length]).toEqual([limit.points, 5]);
  for (const { code, retryAfter } of refused) {
    expect(code).toBe("too_many_attempts");
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(limit.windowSeconds);
  }
  expect((await send(route, 1, bodyOf, `${address}1`))[0]?.status).toBe(status);
});
