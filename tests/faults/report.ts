import type { FaultRunOptions, Outcome, Progress } from "./run.ts";

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** @returns one line: how far the run is, what waits to be done, and what was broken last */
export function describeProgress(progress: Progress, { players, faults }: FaultRunOptions): string {
  const { lag, lastFault } = progress;
  const fault = lastFault === undefined ? "" : `  last: ${lastFault.kind} ${lastFault.target}`;
  const waiting =
    lag === undefined ? "lag ?" : `lag: outbox ${lag.outboxRows}, claiming ${lag.claiming}, messages ${lag.messages}`;
  return (
    `${seconds(progress.elapsedMs).padStart(8)}  ${progress.registered}/${players} registered, ${progress.claimed} claimed, ` +
    `${progress.faults}/${faults} faults, ${progress.retried} retried  ${waiting}${fault}`
  );
}

export function printOutcome(outcome: Outcome): void {
  const { counts } = outcome;
  const statuses = [...counts.byStatus].toSorted(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
  console.log(`
Traffic   ${outcome.registered} registrations, ${outcome.claimed} claims paid, ${outcome.pushed} notifications pushed to ${outcome.connections} connections
Requests  ${counts.sent} sent, ${counts.cut} cut by the client, ${counts.unanswered} without an answer, ${counts.retried} repeated
Answers   ${statuses.join(", ")}
Faults    ${outcome.faults}: ${describeFaults(outcome)}
Time      ${seconds(outcome.elapsedMs)}, settled ${seconds(outcome.settledMs)} after the last answer
`);
  console.table(
    Object.fromEntries(
      outcome.invariants.map(({ name, checked, violations, durationMs }) => [
        name,
        { checked, violations, ms: Math.round(durationMs) },
      ]),
    ),
  );
  for (const problem of outcome.problems) console.log(`Not as planned: ${problem}`);
  for (const violation of outcome.violations) console.error(`✖ ${violation}`);
  console.log(`${outcome.violations.length} violations`);
}

/** @returns such as "kafka 14 (kill 8, freeze 4, restart 2), …" */
function describeFaults({ faultsDone }: Outcome): string {
  const byRole = Map.groupBy(faultsDone, ({ role }) => role);
  return [...byRole]
    .map(([role, faults]) => {
      const kinds = [...Map.groupBy(faults, ({ kind }) => kind)].map(([kind, some]) => `${kind} ${some.length}`);
      return `${role} ${faults.length} (${kinds.join(", ")})`;
    })
    .join(", ");
}
