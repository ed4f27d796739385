import { execFileSync } from "node:child_process";
import path from "node:path";
import { newId } from "../../lib/ids.ts";
import { type Bench, type BenchContext, requireStatus } from "../harness/bench.ts";
import { send } from "../harness/load.ts";
import { measurePairs } from "../harness/pairs.ts";

const CONNECTIONS = 8;
const PASSWORD = "correct horse battery";
/** Of one measurement; each takes some 20 ms of a processor. */
const COUNT = 300;

const bareRate = (what: "hash" | "verify") => {
  const file = path.join(import.meta.dirname, "../bare/passwords.ts");
  return Number(execFileSync(process.execPath, [file, what, String(COUNT)], { encoding: "utf8" }));
};

const emailsOf = (count: number) => Array.from({ length: count }, () => `${newId()}@bench.example`);

async function post({ system }: BenchContext, route: string, emails: string[], status: number): Promise<number> {
  const calls = emails.map((email) => ({
    method: "POST" as const,
    path: `/users/api/v1/auth/${route}`,
    body: { email, password: PASSWORD },
  }));
  const result = await send(system.stack.url, CONNECTIONS, calls);
  requireStatus(result, status, emails.length);
  return result.perSecond;
}

export const registerBench: Bench = {
  name: "register",
  title: "Registrations through nginx, 8 connections",
  async run(context) {
    await post(context, "register", emailsOf(50), 201);
    const measured = await measurePairs(
      context.pairs,
      () => post(context, "register", emailsOf(COUNT), 201),
      async () => bareRate("hash"),
    );
    const beside = "argon2 hashes of the same parameters on the same processors";
    return { comparisons: [{ what: "registrations/s", beside, ...measured, goal: { atLeast: 0.8 } }] };
  },
};

export const loginBench: Bench = {
  name: "login",
  title: "Logins through nginx, 8 connections, each of another player",
  async run(context) {
    const emails = emailsOf(COUNT);
    await post(context, "register", emails, 201);
    const measured = await measurePairs(
      context.pairs,
      () => post(context, "login", emails, 200),
      async () => bareRate("verify"),
    );
    const beside = "argon2 verifications of the same parameters on the same processors";
    return { comparisons: [{ what: "logins/s", beside, ...measured, goal: { atLeast: 0.85 } }] };
  },
};
