import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import path from "node:path";
import { newId } from "../../lib/ids.ts";
import { type Bench, type BenchContext, type Outcome, requireStatus } from "../harness/bench.ts";
import { measuringCpu, middleOf } from "../harness/cpu.ts";
import { send } from "../harness/load.ts";
import { measurePairs, median } from "../harness/pairs.ts";

const CONNECTIONS = 8;
const PASSWORD = "correct horse battery";
/** Of one measurement; each takes some 20 ms of a processor. */
const COUNT = 300;

const bareRate = (what: "hash" | "verify") => {
  const file = path.join(import.meta.dirname, "../bare/passwords.ts");
  return Number(execFileSync(process.execPath, [file, what, String(COUNT)], { encoding: "utf8" }));
};

const emailsOf = (count: number) => Array.from({ length: count }, () => `${newId()}@bench.example`);

async function post({ system }: BenchContext, route: string, emails: string[], status: number) {
  const calls = emails.map((email) => ({
    method: "POST" as const,
    path: `/users/api/v1/auth/${route}`,
    body: { email, password: PASSWORD },
  }));
  const { result, cpuMs } = await measuringCpu(system.pids(), emails.length, () =>
    send(system.stack.url, CONNECTIONS, calls),
  );
  requireStatus(result, status, emails.length);
  return { perSecond: result.perSecond, cpuMs };
}

/** Beside argon2 alone; all processes count, since what a registration sets off runs on the same processors. */
async function measure(
  { pairs }: BenchContext,
  what: "hash" | "verify",
  names: { operations: string; one: string },
  goal: number,
  ours: () => Promise<{ perSecond: number; cpuMs: Record<string, number> }>,
): Promise<Outcome> {
  const measured = await measurePairs(pairs, ours, async () => bareRate(what));
  const comparison = {
    what: `${names.operations}/s`,
    beside: `argon2 ${what === "hash" ? "hashes" : "verifications"} of the same parameters on the same processors`,
    ours: measured.ours.map(({ perSecond }) => perSecond),
    theirs: measured.theirs,
    goal: { atLeast: goal },
  };
  const cpu = {
    title: `CPU of one ${names.one}, in ms`,
    ours: middleOf(measured.ours.map(({ cpuMs }) => cpuMs)),
    theirs: { argon2: (cpus().length * 1_000) / median(measured.theirs) },
  };
  return { comparisons: [comparison], cpu: [cpu] };
}

export const registerBench: Bench = {
  name: "register",
  title: "Registrations through nginx, 8 connections",
  async run(context) {
    await post(context, "register", emailsOf(50), 201);
    return measure(context, "hash", { operations: "registrations", one: "registration" }, 0.8, () =>
      post(context, "register", emailsOf(COUNT), 201),
    );
  },
};

export const loginBench: Bench = {
  name: "login",
  title: "Logins through nginx, 8 connections, each of another player",
  async run(context) {
    const emails = emailsOf(COUNT);
    await post(context, "register", emails, 201);
    return measure(context, "verify", { operations: "logins", one: "login" }, 0.85, () =>
      post(context, "login", emails, 200),
    );
  },
};
