import type { ProcessContext } from "../process.ts";
import { awaitRedis, connectRedis } from "../redis.ts";
import { addReadGauges } from "../telemetry/metrics.ts";
import { followRevocations, type Revocations } from "./revocations.ts";

/** Without Redis a process serves all the same, and knows no session that has ended. */
const REDIS_WAIT_MS = 500;

/**
 * Has a process follow the sessions that end for as long as it lives.
 *
 * @param redisUrl where Users writes them
 */
export async function watchRevocations(
  redisUrl: string,
  { log, metrics, health, onStop }: Pick<ProcessContext<unknown>, "log" | "metrics" | "health" | "onStop">,
): Promise<Revocations> {
  const redis = connectRedis(redisUrl, log);
  await awaitRedis(redis, REDIS_WAIT_MS);
  const revocations = await followRevocations(redis, log);
  onStop("revocations", revocations.stop);
  health.addLoop("revocations", revocations.checkLoop);
  addReadGauges(
    metrics,
    { revocations_silent_seconds: "Time since this process last heard of Redis which sessions have ended." },
    async () => ({ revocations_silent_seconds: revocations.silentMs() / 1_000 }),
  );
  return revocations;
}
