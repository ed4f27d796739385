import { createHash } from "node:crypto";
import {
  type CompactJWSHeaderParameters,
  type CryptoKey,
  errors,
  importJWK,
  type JWTVerifyGetKey,
  jwtVerify,
  SignJWT,
} from "jose";
import { z } from "zod";
import { AppError } from "../errors.ts";
import { accessTokenTtlSeconds, CLOCK_TOLERANCE_SECONDS, type Principal, type Restriction } from "./principal.ts";
import type { Revocations } from "./revocations.ts";
import { sessionRestricted } from "./session-restricted.ts";

/**
 * Characters. Ours have about 450; a longer one is refused unread, wherever it comes in: the gateway and the proxies on
 * the way have bounds of their own for a header, and none of them must be the one that decides.
 */
export const ACCESS_TOKEN_LENGTH_MAX = 3 * 1024;
const ALGORITHM = "EdDSA";
const TYPE = "at+jwt";

export interface TokenAudience {
  issuer: string;
  audience: string;
}

const claims = z.object({
  sub: z.guid(),
  role: z.enum(["player", "staff", "admin"]),
  sid: z.guid(),
  // Any text: a restriction that is not known here is one all the same.
  restriction: z.string().min(1).optional(),
  iat: z.int(),
  exp: z.int(),
});

export type TokenSigner = (principal: Pick<Principal, "id" | "role" | "sessionId" | "restriction">) => Promise<string>;
/** Refuses restricted sessions, but for those whose restriction is named. */
export type TokenVerifier = (token: string, evenRestricted?: readonly Restriction[]) => Promise<Principal>;

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
    // A claim that is undefined is left out.
    new SignJWT({ role: principal.role, sid: principal.sessionId, restriction: principal.restriction })
      .setProtectedHeader(header)
      .setSubject(principal.id)
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime(`${accessTokenTtlSeconds(principal.role)}s`)
      .sign(key);
}

/** Tokens that a process remembers, about 300 bytes each; beyond it the oldest goes, and costs a signature again. */
const REMEMBERED_MAX = 10_000;

interface Verified {
  principal: Omit<Principal, "isCertain">;
  header: CompactJWSHeaderParameters;
  key: unknown;
}
/** Sets of keys choose by the header alone. */
const NO_TOKEN = { payload: "", signature: "" };

/**
 * @param keys where public keys come from: `createLocalJWKSet`, or `createJwksClient` of this folder
 * @param revocations what is known of sessions that have ended; without it a token is good until it runs out
 * @returns a function that checks length, signature, algorithm, `typ`, `iss`, `aud` and `exp` and returns who is calling;
 * it throws AppError `token_too_long`, `token_expired`, `token_invalid`, `session_revoked` or `session_restricted`. A signature
 * that was good is remembered, by the token's hash, as long as its key is the same; whether the token has run out, or its session has
 * ended, is asked each time.
 */
export function createTokenVerifier(
  keys: JWTVerifyGetKey,
  { issuer, audience }: TokenAudience,
  revocations?: Pick<Revocations, "has" | "isHearing">,
): TokenVerifier {
  const remembered = new Map<string, Verified>();

  const verify = async (token: string): Promise<Verified> => {
    const { payload, protectedHeader, key } = await jwtVerify(token, keys, {
      algorithms: [ALGORITHM],
      typ: TYPE,
      issuer,
      audience,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ["sub", "exp", "iat"],
    });
    const { sub, role, sid, restriction, iat, exp } = claims.parse(payload);
    const principal = { id: sub, role, sessionId: sid, restriction, issuedAt: iat, expiresAt: exp };
    return { principal, header: protectedHeader, key };
  };

  const verifyOnce = async (token: string): Promise<Verified["principal"]> => {
    const hash = createHash("sha256").update(token).digest("base64");
    const known = remembered.get(hash);
    if (known !== undefined) {
      const isDue = known.principal.expiresAt <= Date.now() / 1_000 - CLOCK_TOLERANCE_SECONDS;
      // One of a key that is withdrawn, or was fetched again, is verified anew.
      if (!isDue && (await keys(known.header, NO_TOKEN)) === known.key) return known.principal;
      remembered.delete(hash);
    }
    const verified = await verify(token);
    remembered.set(hash, verified);
    if (remembered.size > REMEMBERED_MAX) remembered.delete(remembered.keys().next().value as string);
    return verified.principal;
  };

  return async (token, evenRestricted = []) => {
    if (token.length > ACCESS_TOKEN_LENGTH_MAX) {
      throw new AppError(
        "unauthenticated",
        "token_too_long",
        "The access token is longer than any of ours; log in again.",
      );
    }
    try {
      const verified = await verifyOnce(token);
      if (revocations?.has(verified)) throw sessionRevoked(verified);
      const principal = { ...verified, isCertain: revocations?.isHearing() ?? true };
      const isAdmitted = [undefined, ...evenRestricted].some((restriction) => restriction === principal.restriction);
      if (!isAdmitted) throw sessionRestricted(principal);
      return principal;
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      if (cause instanceof errors.JWTExpired) {
        // Its signature is good (jose looks at that first), so it is known whose it was.
        const { data } = claims.safeParse(cause.payload);
        throw new AppError("unauthenticated", "token_expired", "The access token has run out; refresh it.", {
          logFields: { principalId: data?.sub, sessionId: data?.sid },
          cause,
        });
      }
      throw new AppError("unauthenticated", "token_invalid", "The access token is not valid; log in again.", { cause });
    }
  };
}

const sessionRevoked = ({ id, sessionId }: Pick<Principal, "id" | "sessionId">) =>
  new AppError("unauthenticated", "session_revoked", "This session has ended; log in again.", {
    logFields: { principalId: id, sessionId },
  });
