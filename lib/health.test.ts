import type { AddressInfo } from "node:net";
import { execa } from "execa";
import getPort from "get-port";
import { Registry } from "prom-client";
import { expect, type TestContext, test } from "vitest";
import { until } from "../tests/support/until.ts";
import { Health, serveInternal, watchLoops } from "./health.ts";

/** A process's internal port, and what a loop of it says. */
async function serve(context: TestContext) {
  const health = new Health();
  const loop = { problem: "" };
  health.addLoop("consumer", () => {
    if (loop.problem !== "") throw new Error(loop.problem);
  });
  health.addCheck("kafka", async () => {});
  health.markServing();
  const server = await serveInternal({ host: "127.0.0.1", port: 0, health, registry: new Registry() });
  context.onTestFinished(() => void server.close());
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
    return { status: response.status, body: await response.text() };
  };
  return { health, loop, ask };
}

test("while every loop turns a process is alive and ready; one that stands still is named, and it is neither", async (context) => {
  const { health, loop, ask } = await serve(context);
  await health.lookAtLoops();
  expect(await ask("/livez")).toEqual({ status: 200, body: "ok\n" });
  expect(await ask("/readyz")).toMatchObject({ status: 200 });

  loop.problem = "fetch 1 has not turned for 61 s";
  await health.lookAtLoops();
  expect(await ask("/livez")).toEqual({ status: 503, body: "consumer: fetch 1 has not turned for 61 s\n" });
  const readyz = await ask("/readyz");
  expect(readyz.status).toBe(503);
  expect(JSON.parse(readyz.body).checks).toEqual({ kafka: "ok", consumer: "fetch 1 has not turned for 61 s" });

  loop.problem = "";
  await health.lookAtLoops();
  expect(await ask("/livez")).toMatchObject({ status: 200 });
});

test("a check that fails makes a process unready, not dead", async (context) => {
  const { health, ask } = await serve(context);
  health.addCheck("postgres", async () => {
    throw new Error("it is away");
  });
  await health.lookAtLoops();
  expect(await ask("/livez")).toMatchObject({ status: 200 });
  expect(await ask("/readyz")).toMatchObject({ status: 503, body: expect.stringContaining("it is away") });
});

test("one that drains is left to end: its loops may have ended before", async (context) => {
  const { health, loop, ask } = await serve(context);
  loop.problem = "it has ended";
  health.markDraining();
  await health.lookAtLoops();
  expect(await ask("/livez")).toMatchObject({ status: 200 });
});

test("the watch tells once of a loop that stands still, and one that was ended looks no more", async () => {
  /** A watched loop that stands still from its fourth look on. */
  const watch = () => {
    const health = new Health();
    const seen = { looks: 0, told: [] as string[] };
    health.addLoop("relay", () => {
      seen.looks += 1;
      if (seen.looks >= 4) throw new Error("it stands");
    });
    const end = watchLoops(health, ({ message }) => void seen.told.push(message), 1);
    return { seen, end };
  };
  const ended = watch();
  ended.end();
  const first = watch();
  await until("it tells", () => first.seen.told.length > 0);
  const second = watch();
  await until("another one tells", () => second.seen.told.length > 0);
  expect(first.seen).toEqual({ looks: 4, told: ["stands still: relay: it stands"] });
  expect(ended.seen).toEqual({ looks: 0, told: [] });
});

test("a process whose loop stands still ends with 1 by itself, and says why", async () => {
  const env = { INTERNAL_PORT: String(await getPort()) };
  const ended = await execa(process.execPath, ["tests/support/standing-process.ts"], { env, reject: false });
  expect(ended).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining("stands still: relay: loop has not turned"),
  });
});
