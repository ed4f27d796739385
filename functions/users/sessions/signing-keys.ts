import type { JSONWebKeySet } from "jose";
import { z } from "zod";

/** An Ed25519 private key as a JWK (RFC 8037); `jobs/create-secrets` makes them. */
const privateKey = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  kid: z.string().min(1),
  x: z.string().min(1),
  d: z.string().min(1),
});

export type SigningKey = z.infer<typeof privateKey>;

/** JSON text of a JWKS with private keys, newest first: the first one signs, all are published. */
export const signingKeysSchema = z
  .string()
  .transform((text, ctx): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      ctx.addIssue("must be the JSON text of a JWKS");
      return z.NEVER;
    }
  })
  .pipe(z.object({ keys: z.tuple([privateKey], privateKey) }))
  .transform(({ keys }) => keys);

/** @returns the public halves, as others verify tokens with them */
export function publicJwks(keys: SigningKey[]): JSONWebKeySet {
  return { keys: keys.map(({ kty, crv, kid, x }) => ({ kty, crv, kid, x, alg: "EdDSA", use: "sig" })) };
}
