import { checkInvariants, type InvariantReport } from "../../jobs/check-invariants/check-invariants.ts";
import { logIn, register } from "./accounts.ts";
import { Client, type Counts, ONCE } from "./client.ts";
import { Injector } from "./injector.ts";
import { type Lag, Observer } from "./observer.ts";
import { type Fault, planFaults } from "./schedule.ts";
import { Staff } from "./staff.ts";
import type { System } from "./system.ts";
import { playTraffic } from "./traffic.ts";
import { checkTestimony, checkWitnesses } from "./verify.ts";
import { Witness } from "./witness.ts";

export interface FaultRunOptions {
  seed: number;
  players: number;
  faults: number;
}

/** Players who are online from the first season to the last. */
const WITNESSES = 8;
const PROGRESS_INTERVAL_MS = 2_000;
/** When all has settled, nothing may be under way. */
const AT_ONCE = { lagBoundMs: 0, claimingBoundMs: 0 };

/** How far a run is. */
export interface Progress {
  elapsedMs: number;
  registered: number;
  claimed: number;
  faults: number;
  retried: number;
  lastFault: Fault | undefined;
  lag: Lag | undefined;
}

/** What came of a run. */
export interface Outcome extends Progress {
  pushed: number;
  connections: number;
  faultsDone: readonly Fault[];
  counts: Counts;
  /** How long after the last answer everything had settled. */
  settledMs: number;
  invariants: InvariantReport[];
  violations: string[];
  /** Faults that could not be done as planned. */
  problems: readonly string[];
}

/**
 * Plays seeded traffic on a running system while seeded faults happen to it, waits until it has settled, and checks that
 * nothing is lost, double, out of order or contradicted.
 *
 * @param onProgress called every two seconds
 */
export async function runFaults(
  system: System,
  options: FaultRunOptions,
  onProgress: (progress: Progress) => void,
): Promise<Outcome> {
  const startedAt = Date.now();
  const client = new Client(system.url);
  const observer = new Observer(system);
  const injector = new Injector(system, planFaults(options.seed, options, await system.list()));
  const run = `${options.seed}-${startedAt.toString(36)}`;
  let registered = 0;
  let claimed = 0;
  const progress = (lag: Lag | undefined): Progress => ({
    elapsedMs: Date.now() - startedAt,
    registered,
    claimed,
    faults: injector.done.length,
    retried: client.counts.retried,
    lastFault: injector.last,
    lag,
  });
  const ticker = setInterval(() => {
    void observer.glance().then((lag) => onProgress(progress(lag)));
  }, PROGRESS_INTERVAL_MS);
  const witnesses: Witness[] = [];
  try {
    const before = await countViolations(system);
    const staff = new Staff(client, await logIn(client, system.admin));
    for (let index = 0; index < WITNESSES; index++) {
      const email = `witness-${run}-${index}@example.com`;
      await register(client, email, ONCE);
      witnesses.push(new Witness(system.url, await logIn(client, { email })));
    }
    const told = await playTraffic({
      ...options,
      client,
      staff,
      run,
      witnesses: witnesses.map(({ session }) => session),
      onRegistered: (count) => {
        registered = count;
        injector.onRegistrations(count);
      },
      onClaimed: (count) => {
        claimed = count;
      },
    });
    await injector.finish();
    const answeredAt = Date.now();
    await observer.untilSettled();
    const settledMs = Date.now() - answeredAt;
    const violations = [...(await checkTestimony(told, observer)), ...(await checkWitnesses(witnesses, client))];
    if (told.emails.length !== options.players)
      violations.push(`${told.emails.length} of ${options.players} registered`);
    const invariants = await checkInvariants(system, AT_ONCE);
    for (const { name, violations: count, examples } of invariants) {
      if (count > (before.get(name) ?? 0)) violations.push(`${name}: ${count}, such as ${examples.join("; ")}`);
    }
    return {
      ...progress(await observer.lag()),
      pushed: witnesses.reduce((sum, { received }) => sum + received.length, 0),
      connections: witnesses.reduce((sum, witness) => sum + witness.connections, 0),
      faultsDone: injector.done,
      counts: client.counts,
      settledMs,
      invariants,
      violations,
      problems: injector.problems,
    };
  } finally {
    clearInterval(ticker);
    await injector.finish();
    await Promise.all(witnesses.map((witness) => witness.stop()));
    await observer.close();
  }
}

/** What the system had before the run is not the run's. */
async function countViolations(system: System): Promise<Map<string, number>> {
  const reports = await checkInvariants(system, AT_ONCE);
  return new Map(reports.map(({ name, violations }) => [name, violations]));
}
