import { type CryptoKey, importJWK, type JWTVerifyGetKey, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import { AppError } from "../errors.ts";
import type { Principal } from "./principal.ts";

/** Access tokens: RFC 9068 `at+jwt`, signed with EdDSA, valid for 10 minutes, verified offline from the JWKS. */
export const ACCESS_TOKEN_TTL_SECONDS = 600;
const ALGORITHM = "EdDSA";
const TYPE = "at+jwt";
/** Seconds by which the clocks of two machines may differ. */
const CLOCK_TOLERANCE_SECONDS = 5;

export interface TokenAudience {
  issuer: string;
  audience: string;
}

const claims = z.object({
  sub: z.guid(),
  role: z.enum(["player", "staff", "admin"]),
  sid: z.guid(),
  exp: z.int(),
});

export type TokenSigner = (principal: Omit<Principal, "expiresAt">) => Promise<string>;
export type TokenVerifier = (token: string) => Promise<Principal>;

/**
 * @param privateJwk an Ed25519 private key with its `kid`
 * @returns a function that signs an access token for a principal
 */
export async function createTokenSigner(
  privateJwk: { kid?: string | undefined } & Record<string, unknown>,
  { issuer, audience }: TokenAudience,
): Promise<TokenSigner> {
  const key = (await importJWK(privateJwk, ALGORITHM)) as CryptoKey;
  const header = { alg: ALGORITHM, typ: TYPE, ...(privateJwk.kid === undefined ? {} : { kid: privateJwk.kid }) };
  return (principal) =>
    new SignJWT({ role: principal.role, sid: principal.sessionId })
      .setProtectedHeader(header)
      .setSubject(principal.id)
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime(`${ACCESS_TOKEN_TTL_SECONDS}s`)
      .sign(key);
}

/**
 * @param keys where public keys come from: `createLocalJWKSet`, or `createJwksClient` of this folder
 * @returns a function that checks signature, algorithm, `typ`, `iss`, `aud` and `exp` and returns who is calling; it
 * throws AppError `token_expired` or `token_invalid`
 */
export function createTokenVerifier(keys: JWTVerifyGetKey, { issuer, audience }: TokenAudience): TokenVerifier {
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: [ALGORITHM],
        typ: TYPE,
        issuer,
        audience,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ["sub", "exp", "iat"],
      });
      const { sub, role, sid, exp } = claims.parse(payload);
      return { id: sub, role, sessionId: sid, expiresAt: exp };
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      if ((cause as { code?: string }).code === "ERR_JWT_EXPIRED") {
        throw new AppError("unauthenticated", "token_expired", "The access token has run out; refresh it.", { cause });
      }
      throw new AppError("unauthenticated", "token_invalid", "The access token is not valid; log in again.", { cause });
    }
  };
}
