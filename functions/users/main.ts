import { createLocalJWKSet } from "jose";
import { MAILS_PER_ADDRESS } from "../../domain/users/mails/queue-mail.ts";
import { createSecondFactors } from "../../domain/users/second-factors/second-factors.ts";
import { createLoginAttempts } from "../../domain/users/sessions/login-attempts.ts";
import { createTokenSigner, createTokenVerifier } from "../../lib/auth/tokens.ts";
import { watchRevocations } from "../../lib/auth/watch-revocations.ts";
import { createGrpcServer } from "../../lib/grpc/server.ts";
import { createExports } from "../../lib/http/exports.ts";
import { serveHttp } from "../../lib/http/server.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runProcess } from "../../lib/process.ts";
import { createRateLimiter } from "../../lib/rate-limiter.ts";
import { awaitRedis, connectRedis } from "../../lib/redis.ts";
import { connectReplicatedRedis } from "../../lib/redis-replicated.ts";
import { BalanceServiceDefinition } from "../../proto/generated/casino/balance/v1/balance.ts";
import { createAddressLimits } from "./address-limits.ts";
import { createApp } from "./app.ts";
import { config as schema } from "./config.ts";
import { createBalanceService } from "./ledger/grpc.ts";
import { createRefreshCookies } from "./sessions/session-cookie.ts";
import { publicJwks } from "./sessions/signing-keys.ts";

/** Exports at a time, each with a connection of its own beside the pool of everybody else. */
const EXPORTS_MAX = 2;
/** Milliseconds until an export's query has its first rows, which may have to be sorted before. */
const EXPORT_STATEMENT_TIMEOUT_MS = 60_000;
/** Milliseconds. A batch is some 150 KB. */
const EXPORT_STALL_MAX_MS = 15_000;
const EXPORT_LASTS_MAX_MS = 30 * 60_000;

/** Without Redis we serve all the same, all but the sessions. */
const REDIS_WAIT_MS = 500;

await runProcess("users", schema, async (context) => {
  const { config, log, metrics, health, onStop, onCircuitChange } = context;
  const database = connectDatabase({ url: config.DATABASE_URL, name: config.INSTANCE, onCircuitChange });
  onStop("database", database.close);
  const exportDatabase = connectDatabase({
    url: config.DATABASE_URL,
    name: `${config.INSTANCE}-exports`,
    connectionsMax: EXPORTS_MAX,
    statementTimeoutMs: EXPORT_STATEMENT_TIMEOUT_MS,
    readOnly: true,
  });
  onStop("database of exports", exportDatabase.close);
  const exports = createExports(
    { runningMax: EXPORTS_MAX, stallMsMax: EXPORT_STALL_MAX_MS, lastsMsMax: EXPORT_LASTS_MAX_MS },
    log,
  );
  // Redis is no condition of readiness: without it only sessions fail, and that in all replicas alike.
  health.addCheck("postgres", database.check);
  const redis = connectRedis(config.REDIS_URL, log);
  onStop("redis", () => redis.disconnect());
  const [replicatedRedis] = await Promise.all([
    connectReplicatedRedis(config.REDIS_URL, log, REDIS_WAIT_MS),
    awaitRedis(redis, REDIS_WAIT_MS),
  ]);
  onStop("redis, replicated", replicatedRedis.disconnect);

  const revocations = await watchRevocations(config.REDIS_URL, context);

  const audience = { issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE };
  const jwks = publicJwks(config.JWT_SIGNING_KEYS);
  const ctx = {
    db: database.db,
    redis,
    replicatedRedis,
    loginAttempts: createLoginAttempts(redis, log),
    secondFactors: createSecondFactors(redis, log, {
      key: config.SECOND_FACTOR_KEY,
      issuer: new URL(config.PUBLIC_URL).hostname,
      ofStaff: config.STAFF_SECOND_FACTOR,
    }),
    mailsPerAddress: createRateLimiter(redis, "mail-address", MAILS_PER_ADDRESS),
    requireVerifiedEmail: config.REQUIRE_VERIFIED_EMAIL === "on",
    log,
    currency: config.CURRENCY,
    refreshTokenKey: config.REFRESH_TOKEN_KEY,
    linkKey: config.MAIL_LINK_KEY,
  };
  const app = createApp({
    log,
    metrics,
    ctx,
    addressLimits: createAddressLimits(redis, config.RATE_LIMITS),
    signToken: await createTokenSigner(config.JWT_SIGNING_KEYS[0], audience),
    verifyToken: createTokenVerifier(createLocalJWKSet(jwks), audience, {
      has: revocations.has,
      // Who may act, this service asks its database.
      isHearing: () => true,
    }),
    jwks,
    cookies: createRefreshCookies(config.PUBLIC_URL),
    exports,
    exportClient: exportDatabase.client,
    reportTimeZone: config.REPORT_TIME_ZONE,
  });
  const http = await serveHttp(app, { host: config.HOST, port: config.PORT, log });
  const grpc = createGrpcServer({ serviceToken: config.SERVICE_TOKEN, log, metrics });
  grpc.add(BalanceServiceDefinition, createBalanceService(ctx));
  await grpc.listen(`${config.HOST}:${config.GRPC_PORT}`);
  onStop("http and grpc", () => Promise.all([http.drain(), grpc.shutdown()]));
  // First: one may take longer than draining may.
  onStop("exports", exports.stop);
});
