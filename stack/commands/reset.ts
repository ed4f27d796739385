import { existsSync, readdirSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { StackError } from "../errors.ts";
import { removePostgresHome } from "../infrastructure/postgres-home.ts";
import { layoutOf } from "../plan/layout.ts";
import { readState } from "../plan/state.ts";
import { stackRunner } from "../stack.ts";
import { endLeftovers, readProcessTable } from "../supervisor/process-table.ts";

/** A stack stops within 15 seconds. */
const STOP_TIMEOUT_MS = 20_000;

/**
 * Stops the stack in this folder if it runs, and deletes all of its data.
 *
 * @returns whether there was anything to delete
 * @throws StackError when the folder is not a stack's, or its stack does not stop
 */
export async function resetStack(dir: string): Promise<boolean> {
  const layout = layoutOf(dir);
  if (!existsSync(dir)) return false;
  const isStack = existsSync(layout.state) || existsSync(layout.lock) || readdirSync(dir).length === 0;
  if (!isStack) throw new StackError(`${dir} is not a stack's folder, so it is not deleted`);
  await stopRunner(dir);
  await endLeftovers(readProcessTable(layout.processes));
  const state = readStateOrNothing(dir);
  if (state) removePostgresHome(state);
  rmSync(dir, { recursive: true, force: true });
  return true;
}

async function stopRunner(dir: string): Promise<void> {
  const runner = stackRunner(dir);
  if (runner === undefined) return;
  if (runner === process.pid)
    throw new StackError(`The stack in ${dir} runs in this process; stop it before its reset`);
  process.kill(runner, "SIGTERM");
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (stackRunner(dir) !== undefined) {
    if (Date.now() > deadline) throw new StackError(`The stack (pid ${runner}) does not stop; end it and try again`);
    await delay(50);
  }
}

/** A damaged state must not keep the folder from being deleted: that is what its error message advises. */
function readStateOrNothing(dir: string) {
  try {
    return readState(layoutOf(dir));
  } catch {
    return undefined;
  }
}
