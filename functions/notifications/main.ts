import { createJwksClient } from "../../lib/auth/jwks-client.ts";
import { createTokenVerifier } from "../../lib/auth/tokens.ts";
import { watchRevocations } from "../../lib/auth/watch-revocations.ts";
import { serveHttp } from "../../lib/http/server.ts";
import { connectMongo } from "../../lib/mongo.ts";
import { runProcess } from "../../lib/process.ts";
import { createApp } from "./app.ts";
import { config as schema } from "./config.ts";

await runProcess("notifications", schema, async (context) => {
  const { config, log, metrics, health, onStop, onCircuitChange } = context;
  const mongo = connectMongo(config.MONGODB_URL, config.INSTANCE, { onCircuitChange });
  onStop("mongodb", mongo.close);
  const jwks = createJwksClient(config.JWKS_URL, log);
  onStop("jwks", jwks.close);
  const revocations = await watchRevocations(config.REDIS_URL, context);
  health.addCheck("mongodb", mongo.check);
  health.addCheck("jwks", jwks.check);

  const app = createApp({
    log,
    metrics,
    verifyToken: createTokenVerifier(
      jwks.getKey,
      { issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE },
      revocations,
    ),
    ctx: mongo,
  });
  const server = await serveHttp(app, { host: config.HOST, port: config.PORT, log });
  onStop("http", server.drain);
});
