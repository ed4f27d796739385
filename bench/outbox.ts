import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import getPort from "get-port";
import postgres from "postgres";
import { TOPICS } from "../lib/events.ts";
import { startStack } from "../stack/index.ts";

/**
 * How fast two relays of one database empty its outbox, and what they cost while there is nothing to do:
 * `npm run bench:outbox`. Starts a system of its own with three brokers and nobody who consumes.
 *
 * `--rows` in all, `--chunk` queued at a time (each is drained before the next comes), `--idle` seconds, `--hold` to keep a
 * transaction open meanwhile, so that nothing can be vacuumed. More rows show whether the table grows or gets slower with
 * what went through it.
 */
const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "100000" },
    chunk: { type: "string", default: "100000" },
    idle: { type: "string", default: "20" },
    hold: { type: "boolean", default: false },
  },
});
const rowsTotal = Number(values.rows);
const chunkRows = Number(values.chunk);
const idleSeconds = Number(values.idle);
const SETTLE_MS = 5_000;
const RELAYS = 2;

const print = (line: string) => process.stdout.write(`${line}\n`);
const dir = mkdtempSync(path.join(tmpdir(), "casino-bench-"));
const stack = await startStack({
  dir,
  port: await getPort(),
  brokers: 3,
  workers: {
    "outbox-relay-users": RELAYS,
    "outbox-relay-promotions": RELAYS,
    "welcome-bonus": 0,
    notifier: 0,
    "claim-reconciler": 0,
    "assignment-expirer": 0,
  },
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => void cleanUp().finally(() => process.exit(1)));
}
try {
  await measure();
} finally {
  await cleanUp();
}

async function cleanUp(): Promise<void> {
  await stack.stop();
  rmSync(dir, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  const sql = postgres(stack.endpoints.promotionsDatabaseUrl, { max: 2, onnotice: () => {} });
  const holder = await sql.reserve();
  try {
    if (values.hold) await holder`begin isolation level repeatable read`.then(() => holder`select 1`);
    if (idleSeconds > 0) await measureIdle();
    print(
      "\n| rows so far | rows/s | relays' CPU | outbox after, with its index | dead rows |\n|---:|---:|---:|---:|---:|",
    );
    for (let done = 0; done < rowsTotal; done += chunkRows) {
      const before = await relays();
      const count = Math.min(chunkRows, rowsTotal - done);
      await fill(sql, count);
      const startedAt = performance.now();
      let now = before;
      while (sum(now, "published") - sum(before, "published") < count) {
        await delay(50);
        now = await relays();
      }
      const seconds = (performance.now() - startedAt) / 1000;
      const cpu = (sum(now, "cpuSeconds") - sum(before, "cpuSeconds")) / seconds;
      const [size] = await sql`
        select pg_total_relation_size('outbox') / 1048576.0 as mib, n_dead_tup as dead
        from pg_stat_user_tables where relname = 'outbox'`;
      print(
        `| ${done + count} | ${Math.round(count / seconds)} | ${(cpu * 100).toFixed(0)} % | ${Number(size?.mib).toFixed(1)} MiB | ${size?.dead} |`,
      );
    }
  } finally {
    holder.release();
    await sql.end({ timeout: 1 });
  }
}

async function measureIdle(): Promise<void> {
  await delay(SETTLE_MS);
  const before = await relays();
  await delay(idleSeconds * 1000);
  const after = await relays();
  print(`\n| relay, idle for ${idleSeconds} s | of a core |\n|---|---:|`);
  after.forEach(({ name, cpuSeconds }, i) => {
    const used = cpuSeconds - (before[i]?.cpuSeconds ?? 0);
    print(`| ${name} | ${((used / idleSeconds) * 100).toFixed(2)} % |`);
  });
}

/** Events as Promotions writes them, of a thousand players, committed at once. */
async function fill(sql: postgres.Sql, count: number): Promise<void> {
  await sql`
    insert into outbox (topic, key, event, headers)
    select ${TOPICS.notification}, player, jsonb_build_object(
      'specversion', '1.0', 'id', uuidv7(), 'source', '/promotions', 'type', 'PROMOTION', 'time', now(), 'subject', player,
      'data', jsonb_build_object('promotionId', uuidv7(), 'title', 'A table by the window', 'description', repeat('words ', 20),
        'type', 'BONUS', 'amountMinor', 2000, 'currency', 'EUR', 'startsAt', now(), 'endsAt', now())),
      jsonb_build_object('traceparent', '00-' || md5(n::text) || '-0123456789abcdef-01')
    from (select n, md5((n % 1000)::text)::uuid::text as player from generate_series(1, ${count}::int) n)`;
}

interface RelayFigures {
  name: string;
  published: number;
  cpuSeconds: number;
}

async function relays(): Promise<RelayFigures[]> {
  const running = stack.processes().filter(({ role }) => role.startsWith("outbox-relay"));
  return Promise.all(
    running.map(async ({ name, internalPort }) => {
      const text = await (await fetch(`http://127.0.0.1:${internalPort}/metrics`)).text();
      const read = (metric: string) => Number(new RegExp(`^${metric} (\\S+)$`, "m").exec(text)?.[1]);
      return { name, published: read("outbox_published_total"), cpuSeconds: read("process_cpu_seconds_total") };
    }),
  );
}

function sum(figures: RelayFigures[], key: "published" | "cpuSeconds"): number {
  return figures.reduce((total, figure) => total + figure[key], 0);
}
