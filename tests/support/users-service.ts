import { createLocalJWKSet, exportJWK, generateKeyPair } from "jose";
import type { Sql } from "postgres";
import { insertUser } from "../../domain/users/accounts/insert-user.ts";
import { registerPlayer } from "../../domain/users/accounts/register-player.ts";
import type { User } from "../../domain/users/accounts/user.ts";
import type { UsersContext } from "../../domain/users/context.ts";
import { MAILS_PER_ADDRESS } from "../../domain/users/mails/queue-mail.ts";
import { hashPassword } from "../../domain/users/passwords/passwords.ts";
import { createSecondFactors } from "../../domain/users/second-factors/second-factors.ts";
import type { IssuedSession } from "../../domain/users/sessions/issued-session.ts";
import { type LogInInput, logIn as logInOrBeChallenged } from "../../domain/users/sessions/log-in.ts";
import { createLoginAttempts } from "../../domain/users/sessions/login-attempts.ts";
import { createApp, type UsersAppDeps } from "../../functions/users/app.ts";
import { createRefreshCookies } from "../../functions/users/sessions/session-cookie.ts";
import { publicJwks, type SigningKey } from "../../functions/users/sessions/signing-keys.ts";
import type { Role } from "../../lib/auth/principal.ts";
import { createTokenSigner, createTokenVerifier } from "../../lib/auth/tokens.ts";
import { createExports } from "../../lib/http/exports.ts";
import { newId } from "../../lib/ids.ts";
import { createRateLimiter } from "../../lib/rate-limiter.ts";
import { awaitRedis, connectRedis, type Redis } from "../../lib/redis.ts";
import { connectReplicatedRedis, createReplicatedRedis } from "../../lib/redis-replicated.ts";
import { createLogger } from "../../lib/telemetry/log.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { createTestDatabase } from "./database.ts";
import { servers } from "./servers.ts";

export const AUDIENCE = { issuer: "test-issuer", audience: "test-audience" };
export const PASSWORD = "a-long-enough-password";
export const PUBLIC_URL = "https://casino.example";

export const freshEmail = (prefix = "player") => `${prefix}-${newId()}@example.com`;

export const silentLog = createLogger({ name: "test", instance: "test", level: "silent" });

/** What the verbs of Users need, on a database of its own. `stop` it in `afterAll`. */
export async function createUsersContext({
  staffSecondFactor = "off",
}: {
  staffSecondFactor?: "on" | "off";
} = {}): Promise<UsersContext & { databaseUrl: string; client: Sql; stop: () => Promise<void> }> {
  const database = await createTestDatabase("users");
  const redis = connectRedis(servers.redisUrl, silentLog);
  await awaitRedis(redis);
  const replicatedRedis = await connectReplicatedRedis(servers.redisUrl, silentLog);
  return {
    db: database.db,
    redis,
    replicatedRedis,
    loginAttempts: createLoginAttempts(redis, silentLog),
    secondFactors: createSecondFactors(redis, silentLog, {
      key: "abcdef0123456789abcdef0123456789",
      issuer: "casino.example",
      ofStaff: staffSecondFactor,
    }),
    mailsPerAddress: createRateLimiter(redis, "mail-address", MAILS_PER_ADDRESS),
    requireVerifiedEmail: false,
    log: silentLog,
    currency: "EUR",
    refreshTokenKey: "0123456789abcdef0123456789abcdef",
    linkKey: "fedcba9876543210fedcba9876543210",
    databaseUrl: database.url,
    client: database.client,
    async stop() {
      redis.disconnect();
      replicatedRedis.disconnect();
      await database.drop();
    },
  };
}

/** A Redis that nobody serves. */
export function unreachableRedis() {
  return connectRedis("redis://127.0.0.1:1", silentLog);
}

/** @returns what a context needs to have its sessions on another Redis, for both kinds of writes */
export function sessionsOn(redis: Redis): Pick<UsersContext, "redis" | "replicatedRedis"> {
  return { redis, replicatedRedis: createReplicatedRedis(redis, { replicasMin: 0 }) };
}

export async function createPlayer(ctx: UsersContext): Promise<User> {
  return registerPlayer(ctx, { email: freshEmail(), password: PASSWORD, traceparent: undefined });
}

export async function createStaff(
  ctx: UsersContext,
  role: "staff" | "admin" = "staff",
  email = freshEmail(role),
): Promise<User> {
  const passwordHash = await hashPassword(PASSWORD);
  return insertUser(ctx.db, { email, passwordHash, role, currency: ctx.currency });
}

/** Logs in whose password is enough; fails unless it is. */
export async function logIn(ctx: UsersContext, input: LogInInput): Promise<IssuedSession> {
  const outcome = await logInOrBeChallenged(ctx, input);
  if ("challenge" in outcome) throw new Error("the login was answered with a challenge");
  return outcome;
}

export async function newSigningKey(kid: string): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  return { ...(await exportJWK(privateKey)), kid } as SigningKey;
}

/** The dependencies of the app, on fresh keys. */
export async function createUsersDeps(
  ctx: UsersContext & { client: Sql },
): Promise<UsersAppDeps & { keys: SigningKey[] }> {
  const key = await newSigningKey("first");
  const keys = [key, await newSigningKey("second")];
  const jwks = publicJwks(keys);
  return {
    log: silentLog,
    metrics: createMetrics(),
    ctx,
    keys,
    jwks,
    signToken: await createTokenSigner(key, AUDIENCE),
    verifyToken: createTokenVerifier(createLocalJWKSet(jwks), AUDIENCE),
    cookies: createRefreshCookies(PUBLIC_URL),
    addressLimits: {},
    exports: createExports({ runningMax: 2, stallMsMax: 5_000, lastsMsMax: 60_000 }, silentLog),
    exportClient: ctx.client,
    reportTimeZone: "Europe/Malta",
  };
}

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests assert on what they read
  body: any;
  headers: Headers;
}

/** The Users app as a client sees it, without a network. */
export async function createUsersClient(deps: UsersAppDeps) {
  const app = createApp(deps);
  return {
    app,
    /** @returns an access token of a user, as login would give it */
    tokenOf: ({ id, role }: { id: string; role: Role }) => deps.signToken({ id, role, sessionId: newId() }),
    /** @param route such as "POST /api/v1/auth/login" */
    async send(
      route: string,
      request: { token?: string; json?: unknown; raw?: string; headers?: Record<string, string> } = {},
    ): Promise<Answer> {
      const [method = "GET", path = "/"] = route.split(" ");
      const body = request.raw ?? (request.json === undefined ? undefined : JSON.stringify(request.json));
      const response = await app.request(path, {
        method,
        headers: {
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...(request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }),
          ...request.headers,
        },
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.text();
      return { status: response.status, body: text === "" ? undefined : JSON.parse(text), headers: response.headers };
    },
  };
}
