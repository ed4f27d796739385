import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** A UUID, and as many bytes of its HMAC: 32 bytes are 43 characters without padding. */
const ID_BYTES = 16;
const SEAL_BYTES = 16;
const TOKEN_LENGTH = 43;

/**
 * The token of the link in a mail: the mail's id, sealed. So whoever has the key can make it at any time, again and again the same,
 * and it is stored nowhere; and a guess is told from one of ours without asking the database.
 *
 * @param key the secret of this deployment
 */
export function linkToken(key: string, mailId: string): string {
  const id = Buffer.from(mailId.replaceAll("-", ""), "hex");
  const seal = createHmac("sha256", key).update(`mail-link\0${mailId}`).digest().subarray(0, SEAL_BYTES);
  return Buffer.concat([id, seal]).toString("base64url");
}

/**
 * @param text what somebody sent
 * @returns the mail's id; undefined unless it is a token that we made
 */
export function parseLinkToken(key: string, text: string): string | undefined {
  if (text.length !== TOKEN_LENGTH) return undefined;
  const hex = Buffer.from(text, "base64url").subarray(0, ID_BYTES).toString("hex");
  const mailId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  const [presented, ours] = [Buffer.from(text), Buffer.from(linkToken(key, mailId))];
  return presented.length === ours.length && timingSafeEqual(presented, ours) ? mailId : undefined;
}

/** @returns what a link stands on: as soon as it is another one, the link is void */
export function fingerprintOf({ email, passwordHash }: { email: string; passwordHash: string }): string {
  return createHash("sha256").update(`${email.toLowerCase()}\0${passwordHash}`).digest("base64url");
}
