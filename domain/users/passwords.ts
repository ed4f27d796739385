import { hash, type Options, verify } from "@node-rs/argon2";
import { AppError } from "../../lib/errors.ts";
import { createSemaphore } from "../../lib/semaphore.ts";

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

/** The hash of a random value that nobody knows; a test checks that it costs what ARGON2 says. */
const NOBODYS_HASH =
  "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/**
 * @returns the password's hash as a PHC string
 * @throws AppError `passwords_busy`
 */
export async function hashPassword(password: string): Promise<string> {
  return takeTurn(() => hash(password, ARGON2));
}

/**
 * @param passwordHash undefined for an unknown user: takes as long as for a known one, so that the time tells nothing
 * @returns whether the password is the right one
 * @throws AppError `passwords_busy`
 */
export async function isPassword(password: string, passwordHash: string | undefined): Promise<boolean> {
  const matches = await takeTurn(() => verify(passwordHash ?? NOBODYS_HASH, password));
  return matches && passwordHash !== undefined;
}
