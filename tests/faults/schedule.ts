import { createRandom } from "./random.ts";
import type { SystemProcess } from "./system.ts";

export type FaultKind = "kill" | "freeze" | "restart";

export interface Fault {
  /** It happens when this many players have registered. */
  atRegistration: number;
  target: string;
  role: string;
  kind: FaultKind;
  /** Milliseconds from SIGSTOP to SIGCONT; 0 for the other kinds. */
  durationMs: number;
}

/** Weights: death is the hardest to survive, so it is every second fault. */
const KINDS: readonly FaultKind[] = [
  "kill",
  "kill",
  "kill",
  "kill",
  "kill",
  "freeze",
  "freeze",
  "freeze",
  "restart",
  "restart",
];
/** Milliseconds. The longest is more than a broker's session (6 s) and a relay's silence. */
const FREEZE_MS = { min: 300, max: 8_000 };

/**
 * Plans which process suffers what, and when. Every role comes up equally often, whatever its number of instances.
 *
 * @param processes all that run, of the servers too
 * @returns the same plan for the same seed and the same system, in the order of time
 */
export function planFaults(
  seed: number,
  { faults, players }: { faults: number; players: number },
  processes: readonly SystemProcess[],
): Fault[] {
  const random = createRandom(seed, "faults");
  const byRole = Map.groupBy(
    processes.toSorted((a, b) => a.name.localeCompare(b.name)),
    ({ role }) => role,
  );
  const roles = [...byRole.keys()].sort();
  const targets: string[] = [];
  while (targets.length < faults) targets.push(...random.shuffle(roles));
  return targets.slice(0, faults).map((role, index) => {
    const kind = random.pick(KINDS);
    return {
      atRegistration: Math.floor((players * (index + random.next())) / faults),
      target: random.pick(byRole.get(role) ?? []).name,
      role,
      kind,
      durationMs: kind === "freeze" ? random.integer(FREEZE_MS.min, FREEZE_MS.max) : 0,
    };
  });
}
