import { hkdfSync } from "node:crypto";

/** @returns 32 bytes for one purpose (RFC 5869), so that what is made for one is of no use for the other */
export const derivedKey = (key: string, purpose: "sealed secret" | "recovery code"): Buffer =>
  Buffer.from(hkdfSync("sha256", key, "", `casino second factor: ${purpose}`, 32));
