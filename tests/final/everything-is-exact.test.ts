import { execa } from "execa";
import postgres from "postgres";
import { expect, test } from "vitest";
import { checkInvariants, type InvariantReport } from "../../jobs/check-invariants/check-invariants.ts";
import { ROOT } from "../../stack/plan/layout.ts";
import { servers } from "../support/servers.ts";
import { until } from "../support/until.ts";

/** Tests of the claim pay from a Promotions of their own: its promotions are not in the system under test. */
async function countForeignCredits(): Promise<number> {
  const promotions = postgres(servers.promotionsDatabaseUrl, { max: 1 });
  const users = postgres(servers.usersDatabaseUrl, { max: 1 });
  const known = await promotions`select 'promotion:' || id as reference from promotions`;
  const [counts] = await users`
    select count(*)::int as foreign from transactions
    where reference like 'promotion:%' and reference <> all(${known.map(({ reference }) => reference)})`;
  await Promise.all([promotions.end(), users.end()]);
  return counts?.foreign;
}

test("after all that the tests did to it, everything in the system under test is exact, with nothing left under way", async () => {
  const foreign = await countForeignCredits();
  const isBroken = ({ name, violations }: InvariantReport) =>
    violations !== (name === "claims and credits" ? foreign : 0);
  let broken: InvariantReport[] = [];
  await until("what was under way has arrived", async () => {
    broken = (await checkInvariants(servers, { lagBoundMs: 0, claimingBoundMs: 0 })).filter(isBroken);
    return broken.length === 0;
  }).catch(() => {});
  expect(broken).toEqual([]);
});

test("npm run check:invariants finds the system that runs in STACK_DIR, and prints every invariant", async () => {
  const { stdout, exitCode } = await execa(process.execPath, ["stack/commands/check-invariants.ts"], {
    cwd: ROOT,
    env: { STACK_DIR: servers.stackDir },
    reject: false,
  });
  expect(stdout).toMatch(/^invariant +checked +violations +ms$/m);
  expect(stdout.match(/^(players|welcome bonuses|notifications) +[\d,]+ +0 +[\d,]+$/gm)).toHaveLength(3);
  expect(exitCode).toBe(stdout.endsWith("Everything is exact.") ? 0 : 1);
});

test("npm run check:invariants says so when nothing runs, and exits with 2", async () => {
  const { stderr, exitCode } = await execa(process.execPath, ["stack/commands/check-invariants.ts"], {
    cwd: ROOT,
    env: { STACK_DIR: "/nowhere" },
    reject: false,
  });
  expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining("does not run here") });
});
