import { createJwksClient } from "../../lib/auth/jwks-client.ts";
import { createTokenVerifier } from "../../lib/auth/tokens.ts";
import { serveHttp } from "../../lib/http/server.ts";
import { connectMongo } from "../../lib/mongo.ts";
import { runProcess } from "../../lib/process.ts";
import { createApp } from "./app.ts";
import { config as schema } from "./config.ts";

await runProcess("notifications", schema, async ({ config, log, metrics, health, onStop, onCircuitChange }) => {
  const mongo = connectMongo(config.MONGODB_URL, config.INSTANCE, { onCircuitChange });
  onStop("mongodb", mongo.close);
  const jwks = createJwksClient(config.JWKS_URL, log);
  onStop("jwks", jwks.close);
  health.addCheck("mongodb", mongo.check);
  health.addCheck("jwks", jwks.check);

  const app = createApp({
    log,
    metrics,
    verifyToken: createTokenVerifier(jwks.getKey, { issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE }),
    ctx: mongo,
  });
  const server = await serveHttp(app, { host: config.HOST, port: config.PORT, log });
  onStop("http", server.drain);
});
