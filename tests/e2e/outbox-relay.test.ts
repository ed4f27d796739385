import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RELAY_LOCK } from "../../lib/outbox/relay.ts";
import { killProcess, listProcesses } from "../support/control.ts";
import { collect, createTestTopic } from "../support/kafka.ts";
import { servers } from "../support/servers.ts";
import { until } from "../support/until.ts";

const ROWS = 10_000;
const KEYS = 50;
const TAKEOVER_MAX_MS = 5_000;

const sql = postgres(servers.usersDatabaseUrl, { max: 2 });
let topic: string;
let received: Awaited<ReturnType<typeof collect>>;
beforeAll(async () => {
  topic = await createTestTopic("takeover");
  received = await collect(topic);
});
afterAll(async () => {
  await received.stop();
  await sql.end();
});

test.each([
  { fault: "is killed", strike: ({ name }: Relay) => killProcess(name) },
  { fault: "freezes, and thaws later", strike: ({ name }: Relay) => killProcess(name, "SIGSTOP") },
  { fault: "loses its connection", strike: ({ pid }: Relay) => sql`select pg_terminate_backend(${pid}::int)` },
])("a relay at work $fault: another goes on within 5 s, nothing is lost, each key keeps its order", async (row) => {
  await sql`
    insert into outbox (topic, key, event, headers)
    select ${topic}, 'player-' || n % ${KEYS}::int, jsonb_build_object('n', n, 'fault', ${row.fault}::text), '{}'
    from generate_series(1, ${ROWS}::int) n`;

  const { victim, left } = await until("a relay is struck while it holds the lock", async () => {
    const before = await activeRelay();
    if (before === undefined) return undefined;
    await row.strike(before);
    const after = await activeRelay();
    if (row.fault.startsWith("freezes") && after?.pid !== before.pid) {
      await killProcess(before.name, "SIGCONT"); // it froze just after its batch
      return undefined;
    }
    return { victim: before, left: await queued() };
  });
  const struckAt = performance.now();
  expect(left).toBeGreaterThan(0);
  await until("rows go on", async () => (await queued()) < left);
  expect(performance.now() - struckAt).toBeLessThan(TAKEOVER_MAX_MS);
  await killProcess(victim.name, "SIGCONT");

  const numbers = () =>
    received.messages
      .map(({ value }) => JSON.parse(value) as { n: number; fault: string })
      .filter(({ fault }) => fault === row.fault)
      .map(({ n }) => n);
  await until("all have come", () => new Set(numbers()).size === ROWS, { timeoutMs: 30_000, intervalMs: 200 });
  await until("the relay is well again", async () =>
    (await listProcesses()).some(({ name, health }) => name === victim.name && health === "ready"),
  );
  const newest = Array<number>(KEYS).fill(0);
  for (const n of new Set(numbers())) {
    expect(n).toBeGreaterThan(newest[n % KEYS] ?? 0);
    newest[n % KEYS] = n;
  }
});

interface Relay {
  name: string;
  /** of its PostgreSQL backend */
  pid: number;
}

/** @returns the relay that holds the lock now */
async function activeRelay(): Promise<Relay | undefined> {
  const [row] = await sql<Relay[]>`
    select application_name as name, pid from pg_locks join pg_stat_activity using (pid)
    where locktype = 'advisory' and objid = ${RELAY_LOCK}::int and granted and datname = current_database()`;
  return row;
}

async function queued(): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*)::int as count from outbox`;
  return row?.count ?? 0;
}
