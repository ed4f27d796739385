import { writeSync } from "node:fs";
import { pino } from "pino";

/** What servers know a victim by. */
export const VICTIM = "victim";

/** Where a victim dies: at the `nth` time (from 1) that it reaches a step. */
export interface CrashPoint {
  step: string;
  nth?: number;
}

/** What a victim tells of its way, as one line of JSON on standard output. */
export interface Step {
  step: string;
  detail?: unknown;
}

/** Called by the watched dependencies, right before or after they do something. */
export type Reach = (step: string, detail?: unknown) => void;

/** What a victim has to say goes to standard error: its steps have standard output for themselves. */
export const log = pino({ level: "warn" }, pino.destination({ dest: 2, sync: true }));

/** The input of a victim, and what its watched dependencies call. */
export function beginVictim<Input>(): { input: Input; reach: Reach } {
  const { dieAt, ...input } = JSON.parse(process.argv[2] ?? "{}") as Input & { dieAt?: CrashPoint };
  // A victim must not outlive the test that started it.
  process.stdin.once("end", () => process.exit(0)).resume();
  let left = dieAt?.nth ?? 1;
  const reach: Reach = (step, detail) => {
    tell({ step, detail });
    if (step !== dieAt?.step) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, "SIGKILL");
  };
  return { input: input as Input, reach };
}

/** Written before it returns, so that the last step of a killed process is known. */
function tell(step: Step): void {
  writeSync(1, `${JSON.stringify(step)}\n`);
}
