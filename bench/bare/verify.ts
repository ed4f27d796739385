import { readFileSync } from "node:fs";
import { createLocalJWKSet, jwtVerify } from "jose";

const { keys } = JSON.parse(readFileSync(process.env.SIGNING_KEYS ?? "", "utf8"));
const jwks = createLocalJWKSet({ keys: keys.map(({ d: _, ...key }: { d: string }) => ({ ...key, alg: "EdDSA" })) });

/** @returns the player whose token it is */
export async function verify(authorization: string | undefined): Promise<string> {
  const { payload } = await jwtVerify(authorization?.slice("Bearer ".length) ?? "", jwks, {
    issuer: "casino-users",
    audience: "casino",
    typ: "at+jwt",
  });
  return payload.sub as string;
}
