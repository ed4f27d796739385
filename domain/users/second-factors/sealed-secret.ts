import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { derivedKey } from "./keys.ts";

/** AES-256-GCM with a random nonce: nonce, ciphertext and tag one after the other, as base64url. */
const ALGORITHM = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts a user's secret for storing. It opens for this user only: a row that is copied to another account is of no use there.
 *
 * @param key the secret of this deployment
 */
export function sealSecret(key: string, userId: string, secret: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, derivedKey(key, "sealed secret"), nonce).setAAD(Buffer.from(userId));
  return Buffer.concat([nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]).toString(
    "base64url",
  );
}

/** @throws Error if it was sealed for another user or with another key: a defect, or a key that was changed */
export function openSecret(key: string, userId: string, sealed: string): string {
  const bytes = Buffer.from(sealed, "base64url");
  const decipher = createDecipheriv(ALGORITHM, derivedKey(key, "sealed secret"), bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
    .setAAD(Buffer.from(userId))
    .setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString("utf8");
  } catch (cause) {
    throw new Error("a second factor was sealed with another SECOND_FACTOR_KEY, or for another account", { cause });
  }
}
