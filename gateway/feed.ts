import type { NotificationsContext } from "../domain/notifications/context.ts";
import { findAfter } from "../domain/notifications/find-after.ts";
import { findHead } from "../domain/notifications/find-head.ts";
import { isPositionKnown } from "../domain/notifications/is-position-known.ts";
import { type Position, positionOf, START } from "../domain/notifications/position.ts";
import { retry } from "../lib/backoff.ts";
import { AppError } from "../lib/errors.ts";
import type { Logger } from "../lib/telemetry/log.ts";
import type { Connection } from "./connection.ts";
import type { FeedTurn } from "./feed-turns.ts";
import { notificationFrame, readyFrame } from "./frames.ts";

export interface FeedOptions {
  ctx: NotificationsContext;
  log: Logger;
  /** How often a socket looks for news that no wake-up told it of, in milliseconds; jittered by a fifth. */
  resyncIntervalMs: number;
  /** Called for every notification that was written. */
  onSent: () => void;
}

/** Notifications per query; the next page is asked for when the socket has taken this one. */
const PAGE_MAX = 100;
const DATABASE_BACKOFF = { baseMs: 100, maxMs: 5_000 };

/**
 * Sends a player's notifications to one socket, until it ends: first what it missed, then `ready`, then what is live.
 * All of it comes from the database, in its order, through this one loop; wake-ups say only that it is time to look. So
 * nothing overtakes, and nothing is sent twice or left out.
 *
 * @param connection subscribed to the player's wake-ups already, so that none falls between replay and live
 * @param cursor where the client left off; without it the unread ones are sent first
 * @param loop told of every step: a page, a frame, a wait that is over, an attempt at the database
 * @throws what is no outage: a defect
 */
export async function runFeed(
  options: FeedOptions,
  connection: Connection,
  cursor: Position | undefined,
  loop: FeedTurn,
): Promise<void> {
  const { ctx } = options;
  const { playerId, signal } = connection;

  const ask = <T>(query: () => Promise<T>): Promise<T> =>
    retry(query, {
      ...DATABASE_BACKOFF,
      isRetryable: (error) => error instanceof AppError && error.kind === "unavailable",
      onRetry: (err, attempt) => {
        loop.turn();
        options.log.debug({ err, attempt, playerId }, "feed waits for the database");
      },
      signal,
    });

  /** @returns the position of the last one sent, `after` if there was none */
  const sendAfter = async (after: Position, unreadUpTo?: Position): Promise<Position> => {
    for (let position = after; ; ) {
      const page = await ask(() => findAfter(ctx, { playerId, after: position, unreadUpTo, limit: PAGE_MAX }));
      for (const notification of page) {
        await connection.sendNotification(notificationFrame(notification));
        signal.throwIfAborted();
        loop.turn();
        options.onSent();
        position = positionOf(notification);
      }
      loop.turn();
      if (page.length < PAGE_MAX) return position;
    }
  };

  const replay = async (): Promise<Position> => {
    if (cursor !== undefined && (await ask(() => isPositionKnown(ctx, { playerId, position: cursor })))) {
      const position = await sendAfter(cursor);
      await connection.send(readyFrame(position, true));
      return position;
    }
    const head = await ask(() => findHead(ctx, { playerId }));
    await sendAfter(START, head);
    await connection.send(readyFrame(head, false));
    return head;
  };

  try {
    let position = await replay();
    while (!signal.aborted) {
      await connection.bell.wait(options.resyncIntervalMs * (0.8 + Math.random() * 0.4));
      loop.turn();
      if (!signal.aborted) position = await sendAfter(position);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    loop.end();
  }
}
