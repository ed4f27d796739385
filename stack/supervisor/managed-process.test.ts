import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import getPort from "get-port";
import { expect, type TestContext, test } from "vitest";
import { until } from "../../tests/support/until.ts";
import { ManagedProcess } from "./managed-process.ts";
import { probeHealth } from "./probes.ts";

/** Answers `/readyz` and `/livez` as the file beside it says: "200 200", "503 503"; "hang" blocks its event loop for ever. */
const PROGRAM = `
  import { appendFileSync, readFileSync } from "node:fs";
  import { createServer } from "node:http";
  createServer((request, response) => {
    const word = readFileSync("health", "utf8");
    if (request.url === "/livez") appendFileSync("asked", ".");
    if (word === "hang") for (;;);
    response.writeHead(Number(word.split(" ")[request.url === "/readyz" ? 0 : 1])).end();
  }).listen(Number(process.env.PORT), "127.0.0.1");
`;

/** Starts the program under a manager that takes it for lifeless after half a second. */
async function manage(context: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), "managed-"));
  const say = async (word: string) => {
    await writeFile(join(dir, "next"), word);
    await rename(join(dir, "next"), join(dir, "health"));
  };
  await say("200 200");
  await writeFile(join(dir, "program.mjs"), PROGRAM);
  const port = await getPort();
  const deaths: string[] = [];
  const managed = new ManagedProcess(
    {
      name: "program",
      role: "program",
      tier: "worker",
      command: process.execPath,
      args: ["program.mjs"],
      cwd: dir,
      env: { PORT: String(port) },
      logFile: join(dir, "log"),
      stopSignal: "SIGKILL",
      probe: (signal) => probeHealth(port, "/readyz", signal),
      probeLife: (signal) => probeHealth(port, "/livez", signal),
    },
    { changed: () => {}, died: (_, how) => deaths.push(how) },
    500,
  );
  context.onTestFinished(async () => {
    await managed.stop(1_000);
    await rm(dir, { recursive: true });
  });
  await managed.start();
  const timesAsked = async () => (await readFile(join(dir, "asked"), "utf8")).length;
  return { managed, say, deaths, timesAsked, pid: () => managed.status().pid };
}

test.concurrent.for(["503 503", "hang"])(
  "one that is not alive (%s) is killed and started again",
  async (word, context) => {
    const { say, deaths, pid } = await manage(context);
    const first = pid();
    await say(word);
    await until("it is killed", () => deaths.length > 0, { timeoutMs: 25_000 });
    expect(deaths[0]).toContain("SIGKILL");
    await say("200 200");
    await until("another one runs", () => pid() !== null && pid() !== first);
  },
);

test.concurrent("one that is alive and not ready is left alone, for as long as it takes", async (context) => {
  const { managed, say, deaths, timesAsked } = await manage(context);
  await say("503 200");
  await until("it was asked several times", async () => (await timesAsked()) >= 3, { timeoutMs: 25_000 });
  expect(managed.status()).toMatchObject({ health: "unready", restarts: 0 });
  expect(deaths).toEqual([]);
});
