import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import getPort from "get-port";
import { expect, test } from "vitest";
import { until } from "../../tests/support/until.ts";
import { layoutOf } from "../plan/layout.ts";
import { launch } from "../supervisor/launch.ts";
import { prepareNginx } from "./nginx.ts";

/** Runs an nginx of its own, behind which nobody serves. */
async function withNginx(rateLimits: "on" | "off", work: (url: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(path.join(tmpdir(), "casino-nginx-"));
  const [port, nobody] = [await getPort(), await getPort()];
  const names = ["users", "promotions", "notifications", "gateway"];
  const upstreams = Object.fromEntries(names.map((name) => [name, [nobody]]));
  const context = { layout: layoutOf(dir), state: undefined as never, ports: {} };
  const nginx = launch(prepareNginx(context, port, upstreams, rateLimits));
  const url = `http://127.0.0.1:${port}`;
  try {
    await until("it answers", async () => (await fetch(url)).ok);
    await work(url);
  } finally {
    process.kill(nginx.pid as number, "SIGQUIT");
    await nginx.exited;
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @returns how often each status was answered to so many tries of one address, one after the other */
async function tryTimes(url: string, path: string, times: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let time = 0; time < times; time++) {
    const answer = await fetch(`${url}${path}`, { method: "POST" });
    counts[answer.status] = (counts[answer.status] ?? 0) + 1;
    if (answer.status === 429) expect(await answer.json()).toMatchObject({ status: 429, code: "rate_limited" });
    else await answer.text();
  }
  return counts;
}

test.each([
  ["passwords", "/users/api/v1/auth/login"],
  ["promotion codes", "/promotions/api/v1/promotions/opt-in"],
])("one address may try so many %s in a row and no more, unless limits are off", async (_, path) => {
  await withNginx("on", async (url) => {
    const counts = await tryTimes(url, path, 200);
    expect(Object.keys(counts)).toEqual(["429", "502"]);
    // The burst, and what comes with time.
    expect(counts[502]).toBeGreaterThanOrEqual(60);
    expect(counts[429]).toBeGreaterThan(50);
  });
  await withNginx("off", async (url) => {
    expect(await tryTimes(url, path, 200)).toEqual({ 502: 200 });
  });
});
