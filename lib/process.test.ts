import { existsSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import getPort from "get-port";
import { expect, type TestContext, test } from "vitest";
import { until } from "../tests/support/until.ts";
import { newId } from "./ids.ts";

interface Line {
  level: string;
  time: string;
  msg: string;
  step?: string;
  what?: string;
  err?: { message: string };
}

/** Starts a process that follows a script of tests/support/scripted-process.ts. */
async function run(context: TestContext, script: string, { drainTimeoutMs = 20_000, port = 0 } = {}) {
  const internalPort = port || (await getPort());
  const child = execa(process.execPath, ["tests/support/scripted-process.ts", script, String(drainTimeoutMs)], {
    env: { INTERNAL_PORT: String(internalPort) },
    extendEnv: false,
    reject: false,
  });
  context.onTestFinished(() => void child.kill("SIGKILL"));
  const lines: Line[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(JSON.parse(line)));
  const lineOf = (msg: string) => lines.find((line) => line.msg === msg);
  return {
    child,
    lineOf,
    steps: () => lines.flatMap(({ step }) => step ?? []),
    untilLine: (msg: string) => until(`it says "${msg}"`, () => lineOf(msg)),
    untilStep: (step: string) => until(`it comes to ${step}`, () => lines.some((line) => line.step === step)),
    /** With the messages in its log, sorted: pino may write a fatal one after those that follow it. */
    exit: async () => ({ exitCode: (await child).exitCode, log: lines.map(({ msg }) => msg).sort() }),
    ask: async (path: string) => (await fetch(`http://127.0.0.1:${internalPort}${path}`)).status,
  };
}

const timeOf = (line: Line | undefined) => Date.parse(line?.time ?? "");

test.concurrent.for(["SIGTERM", "SIGINT"] as const)(
  "%s: what was started is stopped in reverse order, and the exit code is 0",
  async (signal, context) => {
    const { child, untilLine, exit, steps } = await run(context, "works until it is stopped");
    await untilLine("ready");
    child.kill(signal);
    expect(await exit()).toMatchObject({ exitCode: 0 });
    expect(steps()).toEqual(["three", "two", "one"]);
  },
);

test.concurrent("the probes tell a start, work and a drain apart", async (context) => {
  const { child, ask, untilStep, untilLine, exit } = await run(context, "starts and stops when it is told");
  const probes = async () => ({
    startup: await ask("/startupz"),
    liveness: await ask("/livez"),
    readiness: await ask("/readyz"),
  });
  await untilStep("starting");
  expect(await probes()).toEqual({ startup: 503, liveness: 200, readiness: 503 });
  child.stdin.write("go on\n");
  await untilLine("ready");
  expect(await probes()).toEqual({ startup: 200, liveness: 200, readiness: 200 });
  child.kill("SIGTERM");
  await untilStep("stopping");
  expect(await probes()).toEqual({ startup: 200, liveness: 200, readiness: 503 });
  child.stdin.write("go on\n");
  expect(await exit()).toMatchObject({ exitCode: 0 });
});

test.concurrent("a start that fails: what had been started is stopped, and the exit code is 1", async (context) => {
  const { exit, steps, lineOf } = await run(context, "fails to start");
  expect(await exit()).toEqual({ exitCode: 1, log: ["draining", "failed", "step", "stopped"] });
  expect(lineOf("failed")).toMatchObject({ level: "fatal", err: { message: "no such server" } });
  expect(steps()).toEqual(["one"]);
});

test.concurrent("an internal port that is taken is a start that fails", async (context) => {
  const port = await getPort();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(port, "127.0.0.1", resolve));
  context.onTestFinished(() => void taken.close());
  const { exit, lineOf } = await run(context, "works until it is stopped", { port });
  expect(await exit()).toMatchObject({ exitCode: 1 });
  expect(lineOf("failed")?.err?.message).toContain("EADDRINUSE");
});

test.concurrent("stopped while it starts: what it starts until then is stopped too, and it never calls itself ready", async (context) => {
  const { child, untilStep, exit, steps } = await run(context, "is stopped while it starts");
  await untilStep("starting");
  child.kill("SIGTERM");
  const { exitCode, log } = await exit();
  expect(exitCode).toBe(0);
  expect(log).not.toContain("ready");
  expect(steps()).toEqual(["starting", "early", "late"]);
});

test.concurrent("stopped while it starts, and what it builds on is gone: no failure", async (context) => {
  const { child, untilStep, exit } = await run(context, "is stopped while it starts, and can't go on");
  await untilStep("starting");
  child.kill("SIGTERM");
  expect(await exit()).toEqual({ exitCode: 0, log: ["draining", "start was cut off", "step", "stopped"] });
});

test.concurrent("stopped while a start hangs: it does not wait for the start", async (context) => {
  const { child, untilStep, exit, steps } = await run(context, "never ends its start");
  await untilStep("starting");
  child.kill("SIGTERM");
  expect(await exit()).toMatchObject({ exitCode: 0 });
  expect(steps()).toEqual(["starting", "one"]);
});

test.concurrent("a stop that hangs has the time that is left, is named, and the exit code is 1", async (context) => {
  const drainTimeoutMs = 1_000;
  const { child, untilLine, exit, lineOf } = await run(context, "hangs in a stop", { drainTimeoutMs });
  await untilLine("ready");
  child.kill("SIGTERM");
  expect(await exit()).toMatchObject({ exitCode: 1 });
  const line = lineOf("drain timed out");
  expect(line).toMatchObject({ level: "error", what: "hanging", notBegun: ["internal port", "one", "two"] });
  // The stop before it took 700 ms of them.
  expect(timeOf(line) - timeOf(lineOf("draining"))).toBeLessThan(700 + drainTimeoutMs);
});

test.concurrent("a second signal ends it at once", async (context) => {
  const { child, untilLine, untilStep, exit } = await run(context, "hangs in a stop");
  await untilLine("ready");
  child.kill("SIGTERM");
  await untilStep("hanging");
  // Again and again, since those that come with the first are the same.
  await until("it has ended", () => !child.kill("SIGINT"));
  const { exitCode, log } = await exit();
  expect(exitCode).toBe(1);
  expect(log).toContain("ended at once by a second signal");
  expect(log).not.toContain("stopped");
});

test.concurrent("one signal that comes twice, as from a terminal and from npm, is one", async (context) => {
  const { child, untilLine, exit, steps } = await run(context, "works until it is stopped");
  await untilLine("ready");
  child.kill("SIGINT");
  child.kill("SIGTERM");
  expect(await exit()).toMatchObject({ exitCode: 0 });
  expect(steps()).toEqual(["three", "two", "one"]);
});

test.concurrent("a stop that fails is named, the others are run, and the exit code is 1", async (context) => {
  const { child, untilLine, exit, steps, lineOf } = await run(context, "fails in a stop");
  await untilLine("ready");
  child.kill("SIGTERM");
  expect(await exit()).toMatchObject({ exitCode: 1 });
  expect(steps()).toEqual(["three", "one"]);
  expect(lineOf("stop failed")).toMatchObject({ what: "broken", err: { message: "can't be closed" } });
});

test.concurrent("an error while it drains does not keep it from draining, and the exit code is 1", async (context) => {
  const { child, untilLine, exit, steps } = await run(context, "throws while it drains");
  await untilLine("ready");
  child.kill("SIGTERM");
  expect(await exit()).toEqual({ exitCode: 1, log: ["draining", "failed", "ready", "step", "stopped"] });
  expect(steps()).toEqual(["one"]);
});

test.concurrent.for(["throws", "leaves a rejection to nobody"])(
  "a process that %s drains, and exits with 1",
  async (script, context) => {
    const { exit, steps, lineOf } = await run(context, script);
    expect(await exit()).toMatchObject({ exitCode: 1 });
    expect(lineOf("failed")).toMatchObject({ level: "fatal", err: { message: "out of the blue" } });
    expect(steps()).toEqual(["one"]);
  },
);

test.concurrent("the first signal does not cut the drain of a process that has failed", async (context) => {
  const { child, untilStep, exit, steps } = await run(context, "can't go on, and is told to stop");
  await untilStep("draining");
  child.kill("SIGTERM");
  expect(await exit()).toMatchObject({ exitCode: 1 });
  expect(steps()).toEqual(["draining", "one"]);
});

const execute = (file: string, args: string[], env: Record<string, string>) =>
  execa(process.execPath, [file, ...args], { env, extendEnv: false, reject: false });

test.concurrent("--check-config: a configuration that is right ends with 0, and nothing is opened for it", async (context) => {
  let connections = 0;
  const taken = createServer(() => {
    connections += 1;
  });
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  context.onTestFinished(() => void taken.close());
  const { port } = taken.address() as AddressInfo;
  const database = { DATABASE_URL: `postgres://nobody@127.0.0.1:${port}/users` };
  const folder = path.join(tmpdir(), newId());
  const ends = await Promise.all([
    execute("tests/support/scripted-process.ts", ["--check-config"], { INTERNAL_PORT: String(port) }),
    execute("jobs/migrate/main.ts", ["--check-config"], { SERVICE: "users", ...database }),
    execute("jobs/create-secrets/main.ts", [folder, "--check-config"], {}),
    execute("jobs/dead-letters/main.ts", ["--check-config"], { KAFKA_BROKERS: `127.0.0.1:${port}` }),
  ]);
  for (const end of ends) expect(end).toMatchObject({ exitCode: 0, stdout: "The configuration is right.", stderr: "" });
  expect(connections).toBe(0);
  expect(existsSync(folder)).toBe(false);
});

test.concurrent("--check-config: of a configuration that is wrong every variable is named, and the exit code is 78", async () => {
  const ends = await Promise.all([
    execute("functions/promotions/main.ts", ["--check-config"], { PORT: "8080", DATABASE_URL: "mysql://localhost" }),
    execute("jobs/create-admin/main.ts", ["--check-config"], { ADMIN_EMAIL: "nobody" }),
  ]);
  expect(ends.map(({ exitCode, stdout }) => ({ exitCode, stdout }))).toEqual(
    Array(2).fill({ exitCode: 78, stdout: "" }),
  );
  const named = ends.map(({ stderr }) =>
    (stderr.match(/^ {2}- \w+(?=: )/gm) ?? []).map((line) => line.slice(4)).sort(),
  );
  expect(named).toEqual([
    ["DATABASE_URL", "INTERNAL_PORT", "JWKS_URL", "REDIS_URL", "SERVICE_TOKEN", "USERS_GRPC_TARGET"],
    ["ADMIN_EMAIL", "ADMIN_PASSWORD", "DATABASE_URL"],
  ]);
});

test.concurrent("a bad configuration ends with 78 and names every variable that is wrong, before anything is started", async () => {
  const env = { INTERNAL_PORT: "http", LOG_LEVEL: "loud", HOST_FILE: "/nowhere" };
  const ended = await execute("tests/support/scripted-process.ts", [], env);
  expect(ended).toMatchObject({ exitCode: 78, stdout: "" });
  expect(ended.stderr.match(/^ {2}- \w+/gm)?.sort()).toEqual(["  - HOST_FILE", "  - INTERNAL_PORT", "  - LOG_LEVEL"]);
});
