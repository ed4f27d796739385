import { expect, test } from "vitest";
import { runFaults } from "../faults/run.ts";
import { killProcess, listProcesses, startProcess, stopProcess } from "../support/control.ts";
import { servers } from "../support/servers.ts";

/** The short form of `npm run test:faults`; a fixed seed, so that a failure can be looked into. */
const SEED = 1;

test("whatever is killed, frozen or restarted: nothing is lost, double, out of order or contradicted", {
  timeout: 240_000,
}, async () => {
  const system = {
    ...servers,
    list: listProcesses,
    signal: async (name: string, signal: NodeJS.Signals) => void (await killProcess(name, signal)),
    stop: async (name: string) => void (await stopProcess(name)),
    start: async (name: string) => void (await startProcess(name)),
  };
  const outcome = await runFaults(system, { seed: SEED, players: 240, faults: 24 }, () => {});
  expect(outcome.violations).toEqual([]);
  expect(outcome.faults).toBe(24);
  expect(outcome.claimed).toBeGreaterThanOrEqual(240);
  expect(new Set(outcome.faultsDone.map(({ role }) => role)).size).toBe(17);
});
