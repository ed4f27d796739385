import { createLocalJWKSet } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type CodeGuesses,
  createCodeGuesses,
  GUESSES_PER_ADDRESS,
} from "../../domain/promotions/assignments/code-guesses.ts";
import { recordPlayerEvents } from "../../domain/promotions/players/record-player-events.ts";
import { generateCode } from "../../domain/promotions/promotions/code.ts";
import { createPromotion } from "../../domain/promotions/promotions/create-promotion.ts";
import { createTokenSigner, createTokenVerifier } from "../../lib/auth/tokens.ts";
import { connectBalanceService } from "../../lib/grpc/client.ts";
import { newId } from "../../lib/ids.ts";
import { awaitRedis, connectRedis, type Redis } from "../../lib/redis.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { createTestDatabase } from "../../tests/support/database.ts";
import { silentLog } from "../../tests/support/kafka.ts";
import { newPromotion, registered } from "../../tests/support/promotions.ts";
import { servers } from "../../tests/support/servers.ts";
import { AUDIENCE, newSigningKey } from "../../tests/support/users-service.ts";
import { publicJwks } from "../users/sessions/signing-keys.ts";
import { createApp } from "./app.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let redis: Redis;
let balance: ReturnType<typeof connectBalanceService>;
let app: ReturnType<typeof createApp>;
let codeGuesses: CodeGuesses;
let code: string;
/** @returns the status of the answer to a code, entered by a new player */
let enter: (entered: string, address: string) => Promise<number>;
beforeAll(async () => {
  database = await createTestDatabase("promotions");
  redis = connectRedis(servers.redisUrl, silentLog);
  await awaitRedis(redis);
  balance = connectBalanceService(servers.usersGrpcTarget, servers.serviceToken);
  codeGuesses = createCodeGuesses(redis, silentLog, "on");
  const ctx = { db: database.db, currency: "EUR", balance: balance.client, codeGuesses, log: silentLog };
  const key = await newSigningKey("first");
  app = createApp({
    log: silentLog,
    metrics: createMetrics(),
    ctx,
    verifyToken: createTokenVerifier(createLocalJWKSet(publicJwks([key])), AUDIENCE),
    idempotencySecret: servers.serviceToken,
    reportTimeZone: "UTC",
  });
  code = generateCode();
  await createPromotion(ctx, newPromotion({ code }));
  const sign = await createTokenSigner(key, AUDIENCE);
  enter = async (entered, address) => {
    const event = registered();
    await recordPlayerEvents(ctx, [{ event }]);
    const token = await sign({ id: event.subject, role: "player", sessionId: newId() });
    const answer = await app.request("/api/v1/promotions/opt-in", {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        "x-forwarded-for": address,
      },
      body: JSON.stringify({ code: entered }),
    });
    return answer.status;
  };
});
afterAll(async () => {
  balance.close();
  redis.disconnect();
  await database.drop();
});

test("guesses count for the address that the proxy names, with however many accounts, and others are left alone", async () => {
  const address = `2001:db8::${newId().slice(-4)}`;
  const guesses = Array.from({ length: GUESSES_PER_ADDRESS.points - 1 }, newId);
  await Promise.all(guesses.map((playerId) => codeGuesses.begin({ playerId, address })));
  expect(await enter(generateCode(), address)).toBe(404);
  expect(await enter(generateCode(), address)).toBe(429);
  expect(await enter(code, address)).toBe(429);
  expect(await enter(code, `${address}1`)).toBe(201);
});
