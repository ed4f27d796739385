import { type Bench, type BenchContext, noteGenerator, requireStatus } from "../harness/bench.ts";
import { measuringCpu, middleOf } from "../harness/cpu.ts";
import { type LoadResult, send } from "../harness/load.ts";
import { measurePairs } from "../harness/pairs.ts";
import { AMOUNT_MINOR, assign, createPlayers, createPromotions } from "../harness/players.ts";
import type { BenchSystem } from "../harness/system.ts";

const CONNECTIONS = 32;
const PROMOTIONS = 100;
/** Before anything is measured: code is compiled, connections stand. */
const WARM_UP = 4_000;

interface Claims extends LoadResult {
  /** Milliseconds of CPU for one claim, by process. */
  cpuMs: Record<string, number>;
}

/** Has so many players claim one promotion each, and checks that each was paid once. */
async function claim(
  { stack, promotions, ...system }: BenchSystem,
  count: number,
  {
    url = stack.url,
    promotionCount = PROMOTIONS,
    maxClaims = null as number | null,
    pids = {} as Record<string, number>,
  } = {},
): Promise<Claims> {
  const whole = { stack, promotions, ...system };
  const players = await createPlayers(whole, count);
  const ids = players.map(({ id }) => id);
  const promotionIds = await assign(promotions, ids, await createPromotions(promotions, promotionCount, maxClaims));
  const calls = players.map(({ token }, n) => ({
    method: "POST" as const,
    path: "/promotions/api/v1/promotions/claim",
    token,
    body: { promotionId: promotionIds[n] },
  }));
  const { result, cpuMs } = await measuringCpu(pids, count, () => send(url, CONNECTIONS, calls));
  requireStatus(result, 201, count);
  await requirePaid(whole, ids);
  return { ...result, cpuMs };
}

/** @throws Error unless each of the players has claimed once, and has the amount */
async function requirePaid({ users, promotions }: BenchSystem, ids: string[]): Promise<void> {
  const [claimed] = await promotions`
    select count(*)::int as count from assignments where player_id = any(${ids}::uuid[]) and status = 'claimed'`;
  const [paid] = await users`
    select count(*)::int as count, coalesce(sum(balance_minor), 0)::bigint as sum from users
    where id = any(${ids}::uuid[]) and balance_minor = ${AMOUNT_MINOR}`;
  if (claimed?.count === ids.length && paid?.count === ids.length) return;
  throw new Error(`of ${ids.length} players ${claimed?.count} have claimed and ${paid?.count} have the amount`);
}

const OURS = ["nginx", "promotions-1", "users-1", "postgres"];
const pick = (pids: Record<string, number>, names: readonly string[]) =>
  Object.fromEntries(names.flatMap((name) => (pids[name] === undefined ? [] : [[name, pids[name]]])));

async function run({ system, bare, pairs, requests }: BenchContext) {
  const ours = () => claim(system, requests, { pids: pick(system.pids(), OURS) });
  const barePids = { ...bare.pids(), ...pick(system.pids(), ["postgres"]) };
  const theirs = () => claim(system, requests, { url: bare.url, pids: barePids });
  await claim(system, WARM_UP);
  await claim(system, WARM_UP, { url: bare.url });
  const measured = await measurePairs(pairs, ours, theirs);
  return {
    comparisons: [
      {
        what: "claims/s",
        beside: "a bare claim: three prepared statements, one gRPC call, the same nginx",
        ours: measured.ours.map(({ perSecond }) => perSecond),
        theirs: measured.theirs.map(({ perSecond }) => perSecond),
        goal: { atLeast: 0.8 },
      },
    ],
    cpu: [
      {
        title: "CPU of one claim, in ms",
        ours: middleOf(measured.ours.map(({ cpuMs }) => cpuMs)),
        theirs: middleOf(measured.theirs.map(({ cpuMs }) => cpuMs)),
      },
    ],
    notes: noteGenerator([...measured.ours, ...measured.theirs]),
  };
}

export const claimBench: Bench = {
  name: "claim",
  title: "Claims through nginx, 32 connections, each by another player",
  run,
};

export const hotClaimBench: Bench = {
  name: "hot-claim",
  title: "The same, all of one promotion",
  async run({ system, pairs, requests }) {
    await claim(system, WARM_UP);
    const measured = await measurePairs(
      pairs,
      () => claim(system, requests, { promotionCount: 1 }),
      () => claim(system, requests),
    );
    return {
      comparisons: [
        {
          what: "claims/s",
          beside: `claims of ${PROMOTIONS} promotions`,
          ours: measured.ours.map(({ perSecond }) => perSecond),
          theirs: measured.theirs.map(({ perSecond }) => perSecond),
          goal: { atLeast: 0.95 },
        },
      ],
      notes: noteGenerator([...measured.ours, ...measured.theirs]),
    };
  },
};

export const cappedClaimBench: Bench = {
  name: "capped-claim",
  title: "The same, of one promotion with a cap that is used up exactly",
  async run({ system, pairs, requests }) {
    await claim(system, WARM_UP, { promotionCount: 1 });
    // A cap is dealt to 16 slots alike.
    const count = Math.ceil(requests / 16) * 16;
    const measured = await measurePairs(
      pairs,
      () => claim(system, count, { promotionCount: 1, maxClaims: count }),
      () => claim(system, count, { promotionCount: 1 }),
    );
    return {
      comparisons: [
        {
          what: "claims/s",
          beside: "claims of one promotion without a cap",
          ours: measured.ours.map(({ perSecond }) => perSecond),
          theirs: measured.theirs.map(({ perSecond }) => perSecond),
          goal: { atLeast: 0.5 },
        },
      ],
      notes: noteGenerator([...measured.ours, ...measured.theirs]),
    };
  },
};
