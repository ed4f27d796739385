import { awaitRedis, connectRedis, type Redis } from "./redis.ts";
import { parseSentinelUrl } from "./redis-sentinel.ts";
import type { Logger } from "./telemetry/log.ts";

/** Milliseconds that a replica has to say that it has a write; below a command's deadline. One that is well says so within 2. */
const WAIT_MS = 500;
/** A write of no meaning: an answer to it says that the server's replica has what was written before, by whomever. */
const MARK_KEY = "replicated-up-to-here";
const MARK_LIFE_MS = 60_000;

/** What was done is done on the primary, and may be lost if another server takes over now. */
export class NotReplicatedError extends Error {
  override name = "NotReplicatedError";
}

/** Writes that a failover must not lose. */
export interface ReplicatedRedis {
  /**
   * As `eval` of Redis, but it is answered only once a replica has what the script wrote, and all that was written before it.
   *
   * @throws NotReplicatedError when no replica has said so in time; then the script has run, and to repeat it is how to be sure
   */
  eval(script: string, keyCount: number, ...args: (string | number)[]): Promise<unknown>;
  disconnect(): void;
}

interface Job {
  args: [script: string, keyCount: number, ...args: (string | number)[]];
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** @returns how many replicas are sure to belong to what this URL names: Sentinels have something to choose from */
export const replicasNamedBy = (redisUrl: string) => (parseSentinelUrl(redisUrl) === undefined ? 0 : 1);

/**
 * @param url as for `connectRedis`
 * @param waitMs how long to wait for the connection; it comes later if it does not stand by then
 */
export async function connectReplicatedRedis(url: string, log: Logger, waitMs?: number): Promise<ReplicatedRedis> {
  const redis = connectRedis(url, log);
  await awaitRedis(redis, waitMs);
  return createReplicatedRedis(redis, { replicasMin: replicasNamedBy(url) });
}

/**
 * Asks Redis to wait (WAIT) for a replica behind each write. All that come while one waits go together with the next, so a replica
 * that is slow makes nobody wait for more than two turns.
 *
 * @param redis a connection of its own, since whatever is behind a WAIT waits too
 * @param options.replicasMin 1 where there is always one, so that a primary which has lost it says so; 0 where it is as the server
 * says: one that has had a replica since the connection began is to have one
 */
export function createReplicatedRedis(redis: Redis, { replicasMin }: { replicasMin: 0 | 1 }): ReplicatedRedis {
  let replicas: 0 | 1 = replicasMin;
  redis.on("close", () => {
    replicas = replicasMin;
  });
  let waiting: Job[] = [];
  let isBusy = false;

  /** @throws NotReplicatedError */
  const run = async (jobs: readonly Job[]): Promise<unknown[]> => {
    const expected = replicas;
    const pipeline = redis.pipeline();
    for (const { args } of jobs) pipeline.eval(...args);
    pipeline.set(MARK_KEY, "", "PX", MARK_LIFE_MS);
    pipeline.info("replication");
    pipeline.wait(expected, WAIT_MS);
    const answers = (await pipeline.exec()) ?? [];
    const [info, wait] = answers.slice(-2);
    if (/^connected_slaves:[1-9]/m.test(String(info?.[1]))) replicas = 1;
    if (expected > 0) {
      // A server that is made a replica refuses to wait, or breaks it off.
      const hasReplica = wait?.[0] === null && Number(wait[1]) >= expected;
      if (!hasReplica) throw new NotReplicatedError("no replica has confirmed in time", { cause: wait?.[0] });
    } else if (replicas > 0) {
      await run([]);
    }
    return answers.slice(0, jobs.length).map(([error, value]) => error ?? value);
  };

  const work = async () => {
    isBusy = true;
    while (waiting.length > 0) {
      const jobs = waiting;
      waiting = [];
      try {
        const outcomes = await run(jobs);
        for (const [index, job] of jobs.entries()) {
          const outcome = outcomes[index];
          if (outcome instanceof Error) job.reject(outcome);
          else job.resolve(outcome);
        }
      } catch (error) {
        for (const job of jobs) job.reject(error);
      }
    }
    isBusy = false;
  };

  return {
    eval(...args) {
      return new Promise((resolve, reject) => {
        waiting.push({ args, resolve, reject });
        if (!isBusy) void work();
      });
    },
    disconnect: () => redis.disconnect(),
  };
}
