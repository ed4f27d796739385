import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { insertUser } from "../../../domain/users/accounts/insert-user.ts";
import { queueMail } from "../../../domain/users/mails/queue-mail.ts";
import { sendMails } from "../../../domain/users/mails/send-mails.ts";
import { mails } from "../../../drizzle/users/schema.ts";
import { connectMail } from "../../../lib/mail.ts";
import { createTestDatabase } from "../../support/database.ts";
import { silentLog } from "../../support/kafka.ts";
import { startSmtp } from "../../support/smtp.ts";
import { freshEmail } from "../../support/users-service.ts";
import { dieTimes, untilForgotten } from "./victim.ts";
import type { CrashPoint } from "./victims/steps.ts";

const MAILS = 10;
const LINK_KEY = "fedcba9876543210fedcba9876543210";

/** `copiesMax`: of one mail, in the end; a mailer sends ten side by side, so each death may leave copies of all of them. */
test.concurrent.each<[string, CrashPoint, { deaths: number; copiesMax: number }]>([
  ["lease | look for the account", { step: "update mails", nth: 2 }, { deaths: 1, copiesMax: 1 }],
  ["lease | send", { step: "send" }, { deaths: 3, copiesMax: 1 }],
  ["send | note", { step: "taken" }, { deaths: 1, copiesMax: 2 }],
  ["send | note, three times", { step: "taken" }, { deaths: 3, copiesMax: 4 }],
  ["note | next note", { step: "taken", nth: 5 }, { deaths: 1, copiesMax: 2 }],
])("a mailer dies at %s: every mail is sent, again only as the same mail", async (_, dieAt, { deaths, copiesMax }) => {
  const database = await createTestDatabase("users");
  const smtp = await startSmtp();
  const { db } = database;
  // What the dead mailer had taken is due again when its lease has run out.
  const endLeases = () => db.update(mails).set({ nextAttemptAt: sql`now()` }).where(sql`${mails.sentAt} is null`);
  try {
    const addresses = Array.from({ length: MAILS }, () => freshEmail()).sort();
    for (const email of addresses) {
      await insertUser(db, { email, passwordHash: "none", role: "player", currency: "EUR" });
      await queueMail(db, { kind: "password_reset", userId: null, address: email });
    }
    for (let death = 0; death < deaths; death++) {
      await dieTimes(1, "mailer", { databaseUrl: database.url, smtpUrl: smtp.url, linkKey: LINK_KEY }, dieAt);
      await untilForgotten(db);
      await endLeases();
    }
    const mail = connectMail({ url: smtp.url, from: "no-reply@casino.example" });
    const ctx = { db, log: silentLog, mail, linkKey: LINK_KEY, linksUrl: "https://casino.example/account" };
    while ((await sendMails(ctx, { batchMax: MAILS })).length > 0);

    const received = Map.groupBy(smtp.received, ({ to }) => to);
    expect([...received.keys()].sort()).toEqual(addresses);
    for (const copies of received.values()) {
      expect(copies.length).toBeLessThanOrEqual(copiesMax);
      for (const copy of copies) expect(copy).toEqual(copies[0]);
    }
    if (copiesMax > 1) expect(smtp.received.length).toBeGreaterThan(MAILS);
  } finally {
    await smtp.stop();
    await database.drop();
  }
});
