import { createHmac, randomInt } from "node:crypto";
import { derivedKey } from "./keys.ts";

const CODES = 10;
/** RFC 4648's base32: nothing that is taken for something else but O and I, which stand for themselves. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** 120 bits: for fewer than 112, ASVS 6.5.2 wants a slow hash. */
const GROUPS = 6;
const GROUP_LENGTH = 4;

/** @returns new codes, to be shown once, such as `K3QF-7MZA-P2XN-LD6W-A7TB-QX2M` */
export const newRecoveryCodes = (): string[] => Array.from({ length: CODES }, newCode);

const newCode = () => Array.from({ length: GROUPS }, newGroup).join("-");
const newGroup = () => Array.from({ length: GROUP_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");

/** @returns a code as it is compared: spaces and dashes don't count, nor does its case */
export const normalizeCode = (code: string): string => code.replace(/[\s-]/g, "").toUpperCase();

/** @returns what is stored of a user's code; without the key nobody can tell whether a code fits */
export const hashRecoveryCode = (key: string, userId: string, code: string): string =>
  createHmac("sha256", derivedKey(key, "recovery code"))
    .update(`${userId}\0${normalizeCode(code)}`)
    .digest("base64url");
