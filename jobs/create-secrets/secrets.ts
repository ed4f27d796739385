import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import { writeOnce } from "../../lib/secret-files.ts";

/** 256 bits, as base64url. */
const randomSecret = async () => randomBytes(32).toString("base64url");

/** A JWKS with one Ed25519 private key, named by its thumbprint (RFC 7638). */
async function newSigningKeys(): Promise<string> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const jwk = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(jwk);
  return JSON.stringify({ keys: [{ ...jwk, kid, alg: "EdDSA", use: "sig" }] });
}

const SECRETS: Record<string, () => Promise<string>> = {
  "jwt-signing-keys.json": newSigningKeys,
  "mail-link-key": randomSecret,
  "refresh-token-key": randomSecret,
  "second-factor-key": randomSecret,
  "service-token": randomSecret,
};

/**
 * Writes the secrets that are missing, readable by the owner only. What exists is never touched, and several may run
 * at once: each file is whole from the moment it has its name, and the first one stays.
 *
 * @param folder made if it is missing
 * @returns the names of the files that were written now
 */
export async function createSecrets(folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const written: string[] = [];
  for (const [name, make] of Object.entries(SECRETS)) {
    if (await writeOnce(folder, name, await make(), 0o600)) written.push(name);
  }
  return written;
}
