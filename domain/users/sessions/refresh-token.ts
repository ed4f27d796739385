import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { newId } from "../../../lib/ids.ts";

/**
 * Refresh tokens are `<session id>.<secret>`; the secret is base64url of a 32-byte value and its 16-byte seal.
 *
 * The successor's value is an HMAC of the presented one, so that any replica derives the same successor from the same
 * token without storing it. The seal is an HMAC too: it tells tokens that we issued, of whatever generation, from
 * guesses. So a guess never reaches Redis, and nobody can end a session by knowing its id.
 */
const VALUE_BYTES = 32;
const SEAL_BYTES = 16;
/** 48 bytes are 64 characters without padding. */
const TOKEN = /^([0-9a-f-]{36})\.([A-Za-z0-9_-]{64})$/;

export interface RefreshToken {
  sessionId: string;
  /** as the client holds it */
  text: string;
  /** SHA-256 of the secret, in hex; all that is stored */
  hash: string;
}

function hmac(key: string, purpose: "seal" | "successor", sessionId: string, value: Buffer): Buffer {
  return createHmac("sha256", key).update(`${purpose}\0${sessionId}\0`).update(value).digest();
}

const sealOf = (key: string, sessionId: string, value: Buffer) =>
  hmac(key, "seal", sessionId, value).subarray(0, SEAL_BYTES);

function build(key: string, sessionId: string, value: Buffer): RefreshToken {
  const secret = Buffer.concat([value, sealOf(key, sessionId, value)]).toString("base64url");
  return { sessionId, text: `${sessionId}.${secret}`, hash: hashOf(secret) };
}

const hashOf = (secret: string) => createHash("sha256").update(secret).digest("hex");

/** @returns the first token of a new session */
export function firstRefreshToken(key: string): RefreshToken {
  return build(key, newId(), randomBytes(VALUE_BYTES));
}

/**
 * @param key the secret of this deployment
 * @param text what a client sent
 * @returns the token and its successor; undefined unless it is one that we issued
 */
export function parseRefreshToken(
  key: string,
  text: string,
): { presented: RefreshToken; successor: RefreshToken } | undefined {
  const [, sessionId, secret] = TOKEN.exec(text) ?? [];
  if (sessionId === undefined || secret === undefined || !z.guid().safeParse(sessionId).success) return undefined;
  const bytes = Buffer.from(secret, "base64url");
  const value = bytes.subarray(0, VALUE_BYTES);
  if (!timingSafeEqual(bytes.subarray(VALUE_BYTES), sealOf(key, sessionId, value))) return undefined;
  return {
    presented: { sessionId, text, hash: hashOf(secret) },
    successor: build(key, sessionId, hmac(key, "successor", sessionId, value)),
  };
}
