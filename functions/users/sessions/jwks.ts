import { createRoute, z } from "@hono/zod-openapi";
import type { JSONWebKeySet } from "jose";
import type { HttpApp } from "../../../lib/http/app.ts";
import { problemResponses } from "../../../lib/http/problem.ts";
import { jsonResponse } from "../../../lib/http/schemas.ts";

const jwksSchema = z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).openapi("Jwks", {
  example: {
    keys: [
      {
        kty: "OKP",
        crv: "Ed25519",
        kid: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        alg: "EdDSA",
        use: "sig",
      },
    ],
  },
});

export interface JwksDeps {
  /** The public keys that verify what this service signs. */
  jwks: JSONWebKeySet;
}

/** The public keys of access tokens (RFC 7517). */
export function registerJwksRoute(app: HttpApp, { jwks }: JwksDeps): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/.well-known/jwks.json",
      operationId: "getJwks",
      tags: ["Auth"],
      summary: "Public keys that verify access tokens",
      security: [],
      responses: {
        200: jsonResponse("A JSON Web Key Set.", jwksSchema),
        ...problemResponses({ 400: "`validation_failed`" }),
      },
    }),
    (c) => {
      c.header("cache-control", "public, max-age=300");
      return c.json({ keys: jwks.keys.map((key) => ({ ...key })) }, 200);
    },
  );
}
