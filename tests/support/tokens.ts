import { readFileSync } from "node:fs";
import path from "node:path";
import { importJWK, type JWK, SignJWT } from "jose";
import type { Role } from "../../lib/auth/principal.ts";
import { createTokenSigner } from "../../lib/auth/tokens.ts";
import { newId } from "../../lib/ids.ts";
import { layoutOf } from "../../stack/plan/layout.ts";
import type { Account } from "./api.ts";
import { servers } from "./servers.ts";

/** What every service asks of a token by default. */
const AUDIENCE = { issuer: "casino-users", audience: "casino" };

/** Users' own key. */
function signingKey(): JWK & { kid: string } {
  const file = path.join(layoutOf(servers.stackDir).secrets, "jwt-signing-keys.json");
  return JSON.parse(readFileSync(file, "utf8")).keys[0];
}

/**
 * @returns the account with an access token of a session that nobody knows, signed now: as one that was handed out just
 * before its owner was suspended, of which no service has heard that its session has ended
 * @param restriction of the session, as Users would put it into the token
 */
export async function withUnknownSession(
  account: Account,
  role: Role = "player",
  restriction?: string,
): Promise<Account> {
  const sign = await createTokenSigner({ ...signingKey() }, AUDIENCE);
  return { ...account, token: await sign({ id: account.id, role, sessionId: newId(), restriction }) };
}

/** @returns an access token of the account that was good until a minute ago */
export async function expiredToken({ id }: Account, role: Role): Promise<string> {
  const key = signingKey();
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ role, sid: newId() })
    .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: key.kid })
    .setSubject(id)
    .setIssuer(AUDIENCE.issuer)
    .setAudience(AUDIENCE.audience)
    .setIssuedAt(now - 660)
    .setExpirationTime(now - 60)
    .sign(await importJWK(key, "EdDSA"));
}
