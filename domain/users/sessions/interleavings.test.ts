import { afterAll, beforeAll, expect, test } from "vitest";
import { runInterleavings } from "../../../tests/sessions/interleavings.ts";
import { createTestDatabase } from "../../../tests/support/database.ts";

/** `npm run test:sessions` goes through 10,000. */
const SESSIONS = 400;
const SEED = 1;

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase("users");
});
afterAll(() => database.drop());

test("whatever comes at once, gets lost or is stolen, and whichever Redis takes over: no fork, nobody thrown out, every thief found", async () => {
  const { violations, ...outcome } = await runInterleavings({ db: database.db, seed: SEED, sessions: SESSIONS });
  expect(violations).toEqual([]);
  expect(outcome.sessions).toBe(SESSIONS);
  expect(outcome.atOnceMax).toBeGreaterThan(30);
  for (const many of [outcome.failovers, outcome.stolen, outcome.found, outcome.logouts]) {
    expect(many).toBeGreaterThan(2);
  }
}, 90_000);
