import { createCodeGuesses } from "../../domain/promotions/assignments/code-guesses.ts";
import { createJwksClient } from "../../lib/auth/jwks-client.ts";
import { createTokenVerifier } from "../../lib/auth/tokens.ts";
import { watchRevocations } from "../../lib/auth/watch-revocations.ts";
import { connectBalanceService } from "../../lib/grpc/client.ts";
import { serveHttp } from "../../lib/http/server.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runProcess } from "../../lib/process.ts";
import { awaitRedis, connectRedis } from "../../lib/redis.ts";
import { createApp } from "./app.ts";
import { config as schema } from "./config.ts";
import { runStatisticsFolder } from "./statistics-folder.ts";

/** What came meanwhile is read with what is kept, and makes reading the longer the more it is. */
const FOLDING_INTERVAL_MS = 2_000;

/** Without Redis we serve all the same. */
const REDIS_WAIT_MS = 500;

await runProcess("promotions", schema, async (context) => {
  const { config, log, metrics, health, onStop, onCircuitChange } = context;
  const database = connectDatabase({ url: config.DATABASE_URL, name: config.INSTANCE, onCircuitChange });
  onStop("database", database.close);
  const jwks = createJwksClient(config.JWKS_URL, log);
  onStop("jwks", jwks.close);
  const redis = connectRedis(config.REDIS_URL, log);
  onStop("redis", () => redis.disconnect());
  const [revocations] = await Promise.all([
    watchRevocations(config.REDIS_URL, context),
    awaitRedis(redis, REDIS_WAIT_MS),
  ]);
  const balance = connectBalanceService(config.USERS_GRPC_TARGET, config.SERVICE_TOKEN, onCircuitChange);
  onStop("balance client", balance.close);
  health.addCheck("postgres", database.check);
  health.addCheck("jwks", jwks.check);

  const ctx = {
    db: database.db,
    currency: config.CURRENCY,
    approvalThresholdMinor: config.APPROVAL_THRESHOLD_MINOR,
    openPromotionsMax: config.MAX_OPEN_PROMOTIONS_PER_PLAYER,
    balance: balance.client,
    codeGuesses: createCodeGuesses(redis, log, config.RATE_LIMITS),
    log,
  };
  const app = createApp({
    log,
    metrics,
    verifyToken: createTokenVerifier(
      jwks.getKey,
      { issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE },
      revocations,
    ),
    idempotencySecret: config.SERVICE_TOKEN,
    reportTimeZone: config.REPORT_TIME_ZONE,
    ctx,
  });
  onStop("statistics folder", runStatisticsFolder(ctx, { intervalMs: FOLDING_INTERVAL_MS }));
  const server = await serveHttp(app, { host: config.HOST, port: config.PORT, log });
  onStop("http", server.drain);
});
