import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import { AppError } from "../../../lib/errors.ts";
import type { UsersContext } from "../context.ts";
import { attempt } from "./store.ts";

/** Seconds in which the second factor has to be shown after the password. */
const CHALLENGE_SECONDS = 300;
const CHALLENGE_BYTES = 32;

/** A password that was right, and waits for the second factor. */
const challengeSchema = z.object({
  userId: z.string(),
  /** Of the password's hash: of another password it is not. */
  passwordMark: z.string(),
  tokenDelivery: z.enum(["cookie", "body"]),
});
export type Challenge = z.infer<typeof challengeSchema>;

/** How a client gets its refresh token. */
export type TokenDelivery = Challenge["tokenDelivery"];

/** As of tokens, Redis holds the hash only. */
const challengeKey = (text: string) =>
  `second-factor-challenge:${createHash("sha256").update(text).digest("base64url")}`;

/** @returns what stands for a password's hash; nobody gets from one to the other */
export const passwordMark = (passwordHash: string): string =>
  createHash("sha256").update(passwordHash).digest("base64url");

/** @returns the text that stands for it, as the client gets it; it is no token of any kind. @throws AppError `sessions_unavailable` */
export async function issueChallenge(ctx: UsersContext, challenge: Challenge): Promise<string> {
  const text = randomBytes(CHALLENGE_BYTES).toString("base64url");
  await attempt(ctx, (redis) => redis.set(challengeKey(text), JSON.stringify(challenge), "EX", CHALLENGE_SECONDS));
  return text;
}

/** @throws AppError `challenge_invalid`, `sessions_unavailable` */
export async function findChallenge(ctx: UsersContext, text: string): Promise<Challenge> {
  const found = await attempt(ctx, (redis) => redis.get(challengeKey(text)));
  if (found === null) throw challengeInvalid();
  return challengeSchema.parse(JSON.parse(found));
}

/** Uses it up: of several at once one does. @throws AppError `challenge_invalid`, `sessions_unavailable` */
export async function useChallenge(ctx: UsersContext, text: string): Promise<void> {
  const used = await attempt(ctx, (redis) => redis.del(challengeKey(text)));
  if (used === 0) throw challengeInvalid();
}

/** @param userId whose it was, where that is known; for the log */
export const challengeInvalid = (userId?: string) =>
  new AppError("unauthenticated", "challenge_invalid", "The challenge has run out or was used; log in again.", {
    logFields: { userId },
  });
