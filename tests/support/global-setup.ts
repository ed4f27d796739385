import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import getPort from "get-port";
import type { TestProject } from "vitest/node";
import { type Stack, startStack } from "../../stack/index.ts";

/** As it is meant to run, beside three brokers. */
const WHOLE_SYSTEM = { replicas: 3, workers: { "outbox-relay-users": 2, "outbox-relay-promotions": 2 } };
/** Enough for tests that start what they test themselves, and half of the processes. */
const ONE_OF_EACH = { replicas: 1 };
/** The projects whose tests start what they test themselves. */
const SELF_CONTAINED: readonly string[] = ["unit", "crash-points"];

/**
 * Starts the system once for a test run: the whole of it, or one of each where only projects were chosen that need no
 * more. Its folder and ports are its own, so a running `npm start` is not disturbed.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(path.join(tmpdir(), "casino-test-"));
  const startedAt = Date.now();
  const stack = await startStack({
    dir,
    port: await getPort(),
    brokers: 3,
    ...(project.vitest.projects.every(({ name }) => SELF_CONTAINED.includes(name)) ? ONE_OF_EACH : WHOLE_SYSTEM),
    admin: { email: "admin@example.com", password: "test-admin-password-1" },
  });
  console.log(`The system under test is up after ${((Date.now() - startedAt) / 1000).toFixed(1)} s in ${dir}`);
  const control = await serveControl(stack);
  project.provide("servers", {
    url: stack.url,
    admin: stack.admin,
    stackDir: dir,
    ...stack.endpoints,
    controlUrl: control.url,
  });
  return async () => {
    await control.close();
    await stack.stop();
    await rm(dir, { recursive: true, force: true });
  };
}

/** Lets tests, which run in other processes, stop, start and kill what the stack runs; see control.ts. */
async function serveControl(stack: Stack): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const name = url.searchParams.get("name") ?? "";
    try {
      if (url.pathname === "/stop") await stack.stopProcess(name);
      else if (url.pathname === "/start") await stack.startProcess(name);
      else if (url.pathname === "/kill") {
        await stack.kill(name, (url.searchParams.get("signal") ?? "SIGKILL") as NodeJS.Signals);
      }
      response.setHeader("content-type", "application/json").end(JSON.stringify(stack.processes()));
    } catch (error) {
      response.writeHead(500).end((error as Error).message);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
