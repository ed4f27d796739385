import { pino } from "pino";
import type { NotificationsContext } from "../../domain/notifications/context.ts";
import { type Edge, type EdgeDeps, startEdge } from "../../gateway/edge.ts";
import { followRevocations } from "../../lib/auth/revocations.ts";
import { connectRedis } from "../../lib/redis.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { createTokens } from "./notifications.ts";
import { servers } from "./servers.ts";
import { openSocket, type TestSocket } from "./socket.ts";

const silentLog = pino({ level: "silent" });

export interface TestEdge extends Edge {
  url: string;
  metrics: EdgeDeps["metrics"];
  tokenOf: Awaited<ReturnType<typeof createTokens>>["tokenOf"];
  /** A socket of a player at this edge. */
  open(playerId: string, options?: { cursor?: string; viaSubprotocol?: boolean }): Promise<TestSocket>;
  stop(): Promise<void>;
}

/** A real edge on a free port, with keys of its own. `stop` it in the end. */
export async function startTestEdge(
  ctx: NotificationsContext,
  options: Partial<EdgeDeps["bounds"]> & { redisUrl?: string; log?: EdgeDeps["log"] } = {},
): Promise<TestEdge> {
  const { redisUrl = servers.redisUrl, log = silentLog, ...bounds } = options;
  const redis = connectRedis(redisUrl, log, "subscriber");
  const revocations = await followRevocations(connectRedis(redisUrl, log), log);
  const { verifyToken, tokenOf } = await createTokens(revocations);
  const metrics = createMetrics();
  const edge = await startEdge({
    host: "127.0.0.1",
    port: 0,
    ctx,
    redis,
    verifyToken,
    revocations,
    log,
    metrics,
    bounds: {
      connectionsPerPlayerMax: 10,
      bufferedBytesMax: 1024 * 1024,
      slowReaderMs: 10_000,
      resyncIntervalMs: 60_000,
      idleTimeoutSeconds: 60,
      ...bounds,
    },
  });
  const url = `http://127.0.0.1:${edge.port}`;
  return {
    ...edge,
    url,
    metrics,
    tokenOf,
    open: async (playerId, socketOptions) => openSocket(await tokenOf(playerId), { url, ...socketOptions }),
    async stop() {
      await edge.drain();
      await revocations.stop();
      redis.disconnect();
    },
  };
}
