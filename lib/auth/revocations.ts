import { z } from "zod";
import { backoffMs, pause } from "../backoff.ts";
import { Pulse } from "../pulse.ts";
import type { Redis } from "../redis.ts";
import type { Logger } from "../telemetry/log.ts";
import { ACCESS_TOKEN_TTL_SECONDS, CLOCK_TOLERANCE_SECONDS, type Principal } from "./principal.ts";

/**
 * Redis stream in which Users writes which sessions have ended, for as long as an access token of theirs could still be
 * good. An entry's id is its time; it has `userId` and `sessionId`, which is empty for all sessions that this user had.
 */
export const REVOCATIONS_STREAM = "revocations";
/** How long an entry is kept: an access token's life, and a minute for clocks that differ and for a failover. */
export const REVOCATION_LIFE_MS = (ACCESS_TOKEN_TTL_SECONDS + 60) * 1_000;

/** What a process knows of sessions that have ended. */
export interface Revocations {
  /** @returns whether this token's session has ended, as far as this process has heard */
  has(principal: Pick<Principal, "id" | "sessionId" | "issuedAt">): boolean;
  /** From now on `onRevoked` is called, once or more, with the user of each session that ends. */
  listen(onRevoked: (userId: string) => void): void;
  /** @returns whether it hears of sessions that end now, as opposed to not having been able to for DEAF_AFTER_MS */
  isHearing(): boolean;
  /** Milliseconds since Redis last said that there is nothing more. */
  silentMs(): number;
  /** @throws Error when the loop stands still */
  checkLoop(): void;
  stop(): Promise<void>;
}

/** Milliseconds; below a command's deadline. Redis answers at once when there is something. */
const BLOCK_MS = 500;
const ENTRIES_MAX = 1_000;
/** Milliseconds after which a process that hears nothing of Redis says so. */
const DEAF_AFTER_MS = 10_000;
const FAILURE_BACKOFF = { baseMs: 100, maxMs: 1_000 };
/** Several times all deadlines of a turn. */
const TURN_MS_MAX = 30_000;
const FROM_THE_START = "0";

const entrySchema = z.object({ userId: z.guid(), sessionId: z.guid().or(z.literal("")) });

/**
 * Follows the sessions that end, from those on that did before this process began.
 *
 * @param redis a connection of its own, since reading waits on it
 * @returns once the past is known, or `waitMs` later without it
 */
export async function followRevocations(
  redis: Redis,
  log: Logger,
  { waitMs = 1_000 }: { waitMs?: number } = {},
): Promise<Revocations> {
  /** When each ended, in milliseconds; the oldest first. */
  const sessions = new Map<string, number>();
  const users = new Map<string, number>();
  const listeners: ((userId: string) => void)[] = [];
  const pulse = new Pulse({ silenceMaxMs: TURN_MS_MAX });
  const stopping = new AbortController();
  const caughtUp = Promise.withResolvers<void>();
  let lastId = FROM_THE_START;
  let heardAt = Number.NEGATIVE_INFINITY;

  const take = (id: string, fields: string[]) => {
    lastId = id;
    const entry = entrySchema.safeParse({ [fields[0] ?? ""]: fields[1], [fields[2] ?? ""]: fields[3] }).data;
    if (entry === undefined) return log.warn({ id }, "not a revocation");
    const { userId, sessionId } = entry;
    const [known, key] = sessionId === "" ? [users, userId] : [sessions, sessionId];
    known.delete(key);
    known.set(key, Number(id.split("-")[0]));
    for (const onRevoked of listeners) onRevoked(userId);
  };
  const forgetOld = () => {
    for (const known of [sessions, users]) {
      for (const [key, at] of known) {
        if (at > Date.now() - 2 * REVOCATION_LIFE_MS) break;
        known.delete(key);
      }
    }
  };
  const read = async () => {
    const from = ["STREAMS", REVOCATIONS_STREAM, lastId] as const;
    // What was before need not be waited for.
    const answer =
      lastId === FROM_THE_START
        ? await redis.xread("COUNT", ENTRIES_MAX, ...from)
        : await redis.xread("COUNT", ENTRIES_MAX, "BLOCK", BLOCK_MS, ...from);
    const entries = answer?.[0]?.[1] ?? [];
    for (const [id, fields] of entries) take(id, fields);
    if (entries.length === ENTRIES_MAX) return;
    heardAt = performance.now();
    caughtUp.resolve();
    if (lastId === FROM_THE_START) lastId = "0-1";
    forgetOld();
  };

  const finished = (async () => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      pulse.turn();
      try {
        await read();
        failures = 0;
      } catch (err) {
        if (stopping.signal.aborted) break;
        log.debug({ err, failures }, "revocations can't be read");
        // It may be another server that answers next, which has lost the newest and numbers anew.
        lastId = FROM_THE_START;
        await pause(backoffMs(failures++, FAILURE_BACKOFF), stopping.signal);
      }
    }
  })();
  await Promise.race([caughtUp.promise, pause(waitMs, stopping.signal)]);

  return {
    has({ id, sessionId, issuedAt }) {
      if (sessions.has(sessionId)) return true;
      const endedAt = users.get(id);
      // Those of the last seconds are named one by one; the clocks of two machines need not agree.
      return endedAt !== undefined && issuedAt < Math.floor(endedAt / 1_000) - CLOCK_TOLERANCE_SECONDS;
    },
    listen: (onRevoked) => void listeners.push(onRevoked),
    isHearing: () => performance.now() - heardAt < DEAF_AFTER_MS,
    silentMs: () => performance.now() - heardAt,
    checkLoop: () => pulse.check(),
    async stop() {
      stopping.abort();
      redis.disconnect();
      await finished;
    },
  };
}
