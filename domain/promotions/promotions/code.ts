import { randomInt } from "node:crypto";

/** A code in its canonical form; a constraint of the database says the same. */
export const CODE_PATTERN = /^[A-Z0-9-]{4,32}$/;

/** 32 characters without those that are taken for each other: no 0 and O, no 1 and I. */
const ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/** 50 bits; beyond what the limits of guesses let anybody find in a promotion's time. */
const GENERATED_LENGTH = 10;

/**
 * Case and spaces don't matter. Only ASCII letters change: `toUpperCase` alone would make an S of `ſ` and an I of `ı`.
 *
 * @param entered by staff or a player
 * @returns the canonical form, if it is a code at all (CODE_PATTERN)
 */
export const canonicalCode = (entered: string) =>
  entered.replace(/\s+/g, "").replace(/[a-z]+/g, (letters) => letters.toUpperCase());

/** @returns a code that nobody can guess, from the system's random source */
export const generateCode = () =>
  Array.from({ length: GENERATED_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
