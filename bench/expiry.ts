import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { newId } from "../lib/ids.ts";
import { until } from "../tests/support/until.ts";
import { createPromotions, createWelcomeBonus } from "./harness/players.ts";
import { startSystem } from "./harness/system.ts";

/**
 * How fast assignments are worked off that all run out at one instant, and what becomes of a registration's bonus meanwhile:
 * `npm run bench:expiry`. Starts a system of its own, with one of everything.
 *
 * `--rows` that run out, `--alone` registrations measured before.
 */
const { values } = parseArgs({
  options: { rows: { type: "string", default: "1000000" }, alone: { type: "string", default: "200" } },
});
const rows = Number(values.rows);
const alone = Number(values.alone);
/** Milliseconds between two registrations. */
const PAUSE_MS = 60;
const FILL_ROWS_MAX = 100_000;
const WARM_UP = 30;
const PARTS = ["assigned", "published", "told"] as const;

const percentile = (sorted: number[], part: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number;

const print = (line: string) => process.stdout.write(`${line}\n`);
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort(new Error(signal)));
const system = await startSystem(stopping.signal);
const { stack, promotions, documents } = system;
try {
  await measure();
} finally {
  await system.close();
}

/** Milliseconds from the answer of a registration on. */
type Took = Record<(typeof PARTS)[number], number>;

async function measure(): Promise<void> {
  await createWelcomeBonus(promotions);
  for (let count = 0; count < WARM_UP; count++) await register();
  const before: Took[] = [];
  for (let count = 0; count < alone; count++) before.push(await register());

  const [promotionId = ""] = await createPromotions(promotions, 1);
  for (let done = 0; done < rows; done += FILL_ROWS_MAX) {
    await promotions`
      insert into assignments (player_id, promotion_id)
      select uuidv7(), ${promotionId} from generate_series(1, ${Math.min(FILL_ROWS_MAX, rows - done)}::int)`;
  }
  await promotions`vacuum analyze assignments`;
  await delay(5_000);
  const startedAt = performance.now();
  await promotions`update promotions set status = 'ended', updated_at = now() where id = ${promotionId}`;
  const meanwhile: Took[] = [];
  let marked = 0;
  let progressAt = startedAt;
  while (marked < rows) {
    meanwhile.push(await register());
    if (performance.now() - progressAt < 1_000 && meanwhile.length > 1) continue;
    progressAt = performance.now();
    marked = await read("assignment-expirer", 'assignments_run_out_total{outcome="expired"}');
    const [outbox] = await promotions`select count(*)::int as rows from outbox`;
    const seconds = (progressAt - startedAt) / 1_000;
    print(
      `${seconds.toFixed(0)} s: ${marked} marked, ${Math.round(marked / seconds)}/s, ${outbox?.rows} in the outbox`,
    );
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const isStored = async () =>
    (await documents.collection("notifications").countDocuments({ type: "PROMOTION_EXPIRED" })) >= rows;
  await until("all are told", isStored, { timeoutMs: 3_600_000, intervalMs: 2_000 });
  const toldSeconds = (performance.now() - startedAt) / 1_000;

  print(
    `\n${rows} ran out at one instant: marked at ${Math.round(rows / seconds)}/s, stored at ${Math.round(rows / toldSeconds)}/s`,
  );
  print(
    `\n| from a registration until its bonus is … | alone, p50 / p99 | meanwhile (${meanwhile.length}), p50 / p99 | p99, ratio |`,
  );
  print("|---|---:|---:|---:|");
  for (const part of PARTS) {
    const [own, other] = [before, meanwhile].map((took) => took.map((one) => one[part]).sort((a, b) => a - b)) as [
      number[],
      number[],
    ];
    const text = (all: number[]) => `${percentile(all, 0.5).toFixed(0)} / ${percentile(all, 0.99).toFixed(0)} ms`;
    print(
      `| ${part} | ${text(own)} | ${text(other)} | ${(percentile(other, 0.99) / percentile(own, 0.99)).toFixed(1)} |`,
    );
  }
}

/** Registers a player, and waits until they have their bonus, until its event has left the outbox, and until it is stored. */
async function register(): Promise<Took> {
  const answer = await fetch(`${stack.url}/users/api/v1/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: `${newId()}@bench.example`, password: "correct horse battery" }),
  });
  const { id } = (await answer.json()) as { id: string };
  const startedAt = performance.now();
  const took = {} as Took;
  const wait = async (part: keyof Took, isDone: () => Promise<unknown>) => {
    await until(part, isDone, { intervalMs: 1, timeoutMs: 300_000 });
    took[part] = performance.now() - startedAt;
  };
  await wait("assigned", async () => (await promotions`select from assignments where player_id = ${id}`).length === 1);
  await wait("published", async () => (await promotions`select from outbox where key = ${id}`).length === 0);
  await wait("told", () => documents.collection("notifications").findOne({ playerId: id }));
  await delay(PAUSE_MS);
  return took;
}

async function read(role: string, metric: string): Promise<number> {
  const port = stack.processes().find((process) => process.role === role)?.internalPort;
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${metric} `));
  return Number(line?.split(" ")[1] ?? 0);
}
