import { hash, type Options, verify } from "@node-rs/argon2";
import { AppError } from "../../../lib/errors.ts";
import { createSemaphore } from "../../../lib/semaphore.ts";

/** argon2id, the library's default, with 19 MiB, two passes, one lane: what OWASP's Password Storage Cheat Sheet asks. */
const ARGON2: Options = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/**
 * Hashing runs in libuv's pool of four threads, which file and name lookups need too: it may take half of them. One
 * hash takes about 20 ms, so those that wait are served within the proxy's 15 s; beyond that they would wait for nothing.
 */
const takeTurn = createSemaphore(
  { runningMax: 2, waitingMax: 500 },
  () =>
    new AppError("unavailable", "passwords_busy", "Too many passwords are being checked right now; try again soon.", {
      retryAfterSeconds: 5,
    }),
);

/** The hash of a random value that nobody knows, also of who has no password yet; a test checks that it costs what ARGON2 says. */
export const NOBODYS_HASH =
  "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/**
 * The form in which passwords are hashed and counted: RFC 8265's OpaqueString, so that the same keys pressed on another keyboard
 * are the same password. Other spaces become U+0020, then NFC; case and width stay.
 */
export function normalizePassword(password: string): string {
  return password.replace(/\p{Zs}/gu, " ").normalize("NFC");
}

/**
 * @returns the hash of the normalised password as a PHC string
 * @throws AppError `passwords_busy`
 */
export async function hashPassword(password: string): Promise<string> {
  return takeTurn(() => hash(normalizePassword(password), ARGON2));
}

/**
 * @param passwordHash undefined for an unknown user: takes as long as for a known one, so that the time tells nothing. How long
 * depends on the password alone: one that is not normal is tried as it was sent too.
 * @returns "outdated" if it is the right one and the hash is of the password as sent, from before passwords were normalised
 * @throws AppError `passwords_busy`
 */
export async function checkPassword(
  password: string,
  passwordHash: string | undefined,
): Promise<"right" | "outdated" | "wrong"> {
  const fits = async (form: string) =>
    (await takeTurn(() => verify(passwordHash ?? NOBODYS_HASH, form))) && passwordHash !== undefined;
  const normal = normalizePassword(password);
  if (await fits(normal)) return "right";
  return normal !== password && (await fits(password)) ? "outdated" : "wrong";
}
