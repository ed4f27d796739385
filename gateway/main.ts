import { createJwksClient } from "../lib/auth/jwks-client.ts";
import { createTokenVerifier } from "../lib/auth/tokens.ts";
import { watchRevocations } from "../lib/auth/watch-revocations.ts";
import { connectMongo } from "../lib/mongo.ts";
import { runProcess } from "../lib/process.ts";
import { connectRedis } from "../lib/redis.ts";
import { config as schema } from "./config.ts";
import { startEdge } from "./edge.ts";

await runProcess("gateway", schema, async (context) => {
  const { config, log, metrics, health, onStop, onCircuitChange } = context;
  const mongo = connectMongo(config.MONGODB_URL, config.INSTANCE, { onCircuitChange });
  onStop("mongodb", mongo.close);
  const redis = connectRedis(config.REDIS_URL, log, "subscriber");
  onStop("redis", () => redis.disconnect());
  const jwks = createJwksClient(config.JWKS_URL, log);
  onStop("jwks", jwks.close);
  const revocations = await watchRevocations(config.REDIS_URL, context);
  // Redis is no condition of readiness: without it pushes are late, and that at all edges alike.
  health.addCheck("mongodb", mongo.check);
  health.addCheck("jwks", jwks.check);

  const edge = await startEdge({
    host: config.HOST,
    port: config.PORT,
    ctx: mongo,
    redis,
    verifyToken: createTokenVerifier(
      jwks.getKey,
      { issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE },
      revocations,
    ),
    revocations,
    log,
    metrics,
    bounds: {
      connectionsPerPlayerMax: config.CONNECTIONS_PER_PLAYER_MAX,
      bufferedBytesMax: config.MAX_BUFFERED_BYTES,
      slowReaderMs: config.SLOW_READER_MS,
      resyncIntervalMs: config.RESYNC_INTERVAL_MS,
      idleTimeoutSeconds: config.IDLE_TIMEOUT_SECONDS,
    },
  });
  onStop("edge", edge.drain);
  health.addLoop("feeds", edge.checkFeeds);
});
