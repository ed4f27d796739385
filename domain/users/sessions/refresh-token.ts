import { createHmac, hash, randomBytes, timingSafeEqual } from "node:crypto";
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
/**
 * How many refreshes a failover may lose of one session without anybody noticing. Somebody who reloads a page again and again
 * while Redis changes hands loses a few.
 */
const GENERATIONS_AHEAD = 4;
/** Bytes of SHA-256 that are kept of a token that is to come: 128 bits, which nobody can hit by chance. */
const MARK_BYTES = 16;
/** 48 bytes are 64 characters without padding. */
const TOKEN = /^([0-9a-f-]{36})\.([A-Za-z0-9_-]{64})$/;

export interface RefreshToken {
  sessionId: string;
  /** as the client holds it */
  text: string;
  /** SHA-256 of the secret, in hex; all that is stored of the token that is current, and of its predecessor */
  hash: string;
  /** part of the SHA-256 of the value, in base64url; all that is stored of a token that is to come */
  mark: string;
  /** the marks of the tokens that come after it, the next one first; separated by blanks */
  marksAhead: string;
}

function hmac(key: string, purpose: "seal" | "successor", sessionId: string, value: Buffer): Buffer {
  return createHmac("sha256", key).update(`${purpose}\0${sessionId}\0`).update(value).digest();
}

const sealOf = (key: string, sessionId: string, value: Buffer) =>
  hmac(key, "seal", sessionId, value).subarray(0, SEAL_BYTES);

function build(key: string, sessionId: string, value: Buffer): RefreshToken {
  const secret = Buffer.concat([value, sealOf(key, sessionId, value)]).toString("base64url");
  const marksAhead: string[] = [];
  for (let next = value; marksAhead.length < GENERATIONS_AHEAD; ) {
    next = successorOf(key, sessionId, next);
    marksAhead.push(markOf(next));
  }
  return {
    sessionId,
    text: `${sessionId}.${secret}`,
    hash: hashOf(secret),
    mark: markOf(value),
    marksAhead: marksAhead.join(" "),
  };
}

const successorOf = (key: string, sessionId: string, value: Buffer) => hmac(key, "successor", sessionId, value);
const hashOf = (secret: string) => hash("sha256", secret, "hex");
const markOf = (value: Buffer) => hash("sha256", value, "buffer").subarray(0, MARK_BYTES).toString("base64url");

/**
 * @param asker what tells the client that asks from others
 * @returns what is stored of it, to recognise it by when it asks again
 */
export function fingerprint(key: string, asker: readonly string[]): string {
  return createHmac("sha256", key)
    .update(`asker\0${JSON.stringify(asker)}`)
    .digest("base64url")
    .slice(0, 22);
}

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
): { presented: Pick<RefreshToken, "sessionId" | "hash" | "mark">; successor: RefreshToken } | undefined {
  const [, sessionId, secret] = TOKEN.exec(text) ?? [];
  if (sessionId === undefined || secret === undefined || !z.guid().safeParse(sessionId).success) return undefined;
  const bytes = Buffer.from(secret, "base64url");
  const value = bytes.subarray(0, VALUE_BYTES);
  if (!timingSafeEqual(bytes.subarray(VALUE_BYTES), sealOf(key, sessionId, value))) return undefined;
  return {
    presented: { sessionId, hash: hashOf(secret), mark: markOf(value) },
    successor: build(key, sessionId, successorOf(key, sessionId, value)),
  };
}
