import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { sql } from "drizzle-orm";
import { expect } from "vitest";
import type { Database } from "../../../lib/postgres.ts";
import { until } from "../../support/until.ts";
import { bundle } from "./bundle.ts";
import type { Input as AssignInput } from "./victims/assign.ts";
import type { Input as ClaimInput } from "./victims/claim.ts";
import type { Input as ExpirerInput } from "./victims/expirer.ts";
import type { Input as MailerInput } from "./victims/mailer.ts";
import type { Input as NotifierInput } from "./victims/notifier.ts";
import type { Input as ReconcilerInput } from "./victims/reconciler.ts";
import type { Input as RegisterInput } from "./victims/register.ts";
import type { Input as RelayInput } from "./victims/relay.ts";
import { type CrashPoint, type Step, VICTIM } from "./victims/steps.ts";
import type { Input as UsersInput } from "./victims/users.ts";
import type { Input as WelcomeBonusInput } from "./victims/welcome-bonus.ts";

interface Inputs {
  assign: AssignInput;
  claim: ClaimInput;
  expirer: ExpirerInput;
  mailer: MailerInput;
  notifier: NotifierInput;
  reconciler: ReconcilerInput;
  register: RegisterInput;
  relay: RelayInput;
  users: UsersInput;
  "welcome-bonus": WelcomeBonusInput;
}

/** Longer than Kafka takes to give up on a victim that died before. */
const DEATH_TIMEOUT_MS = 40_000;

/**
 * Runs a program of `victims/`, a process of its own, until it kills itself at `dieAt`; fails the test if it does not.
 *
 * @param onStep told of every step that it reaches
 * @returns the steps that it reached, in order
 */
export async function die<Program extends keyof Inputs>(
  program: Program,
  input: Inputs[Program],
  dieAt: CrashPoint,
  onStep: (step: Step) => void = () => {},
): Promise<Step[]> {
  const args = [await bundle(program), JSON.stringify({ ...input, dieAt })];
  const victim = spawn(process.execPath, ["--enable-source-maps", ...args], { stdio: "pipe" });
  const steps: Step[] = [];
  const said: string[] = [];
  createInterface(victim.stdout).on("line", (line) => {
    const step: Step = JSON.parse(line);
    steps.push(step);
    onStep(step);
  });
  createInterface(victim.stderr).on("line", (line) => said.push(line));
  const timer = setTimeout(() => {
    said.push(`It took more than ${DEATH_TIMEOUT_MS} ms.`);
    victim.kill("SIGTERM");
  }, DEATH_TIMEOUT_MS);
  await once(victim, "close");
  clearTimeout(timer);
  const seen = { signal: victim.signalCode, step: steps.at(-1)?.step, nth: countOf(steps, dieAt.step) };
  expect(seen, said.join("\n")).toEqual({ signal: "SIGKILL", step: dieAt.step, nth: dieAt.nth ?? 1 });
  return steps;
}

/** Runs one victim after the other, each of which dies at the same point. @returns the steps of all */
export async function dieTimes<Program extends keyof Inputs>(
  deaths: number,
  program: Program,
  input: Inputs[Program],
  dieAt: CrashPoint,
): Promise<Step[]> {
  const steps: Step[] = [];
  for (let death = 0; death < deaths; death++) steps.push(...(await die(program, input, dieAt)));
  return steps;
}

/** Waits for PostgreSQL to end a dead victim's connections: it finishes what had reached it, a commit for instance. */
export const untilForgotten = (db: Database) =>
  until("the victim's connections are closed", async () => {
    const [row] = await db.execute<{ count: number }>(sql`
      select count(*)::int as count from pg_stat_activity
      where datname = current_database() and application_name = ${VICTIM}`);
    return row?.count === 0;
  });

/** How often a step was reached. */
export const countOf = (steps: Step[], name: string): number => steps.filter(({ step }) => step === name).length;
