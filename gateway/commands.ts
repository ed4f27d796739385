import type { NotificationsContext } from "../domain/notifications/context.ts";
import { markRead } from "../domain/notifications/mark-read.ts";
import type { TokenVerifier } from "../lib/auth/tokens.ts";
import { AppError } from "../lib/errors.ts";
import { createSemaphore } from "../lib/semaphore.ts";
import { authenticate } from "./authenticate.ts";
import type { Budget } from "./budget.ts";
import type { Connection } from "./connection.ts";
import { type ClientFrame, errorFrame, parseClientFrame } from "./frames.ts";

export interface CommandsOptions {
  ctx: NotificationsContext;
  verifyToken: TokenVerifier;
  /** Of bad frames, by player. */
  badFrames: Pick<Budget, "take">;
  /** Called for what is no outage and no fault of the client: a defect. */
  onDefect: (error: unknown) => void;
}

/** Bad frames of one player, at once and a second, after which a client is taken for broken or hostile. */
export const BAD_FRAMES = { burst: 20, perSecond: 0.2 };
/** Frames of one socket that wait while one is carried out. */
const WAITING_FRAMES_MAX = 32;

/**
 * Carries out a client's frames, one after the other.
 *
 * @returns to be called with the text of each message, or undefined for a binary one
 */
export function createCommands(
  options: CommandsOptions,
  connection: Connection,
): (text: string | undefined) => Promise<void> {
  const inTurn = createSemaphore({ runningMax: 1, waitingMax: WAITING_FRAMES_MAX }, () => new TooManyFrames());

  const carryOut = async (frame: ClientFrame): Promise<void> => {
    switch (frame.type) {
      case "read":
        return markRead(options.ctx, { playerId: connection.playerId, id: frame.id });
      case "auth": {
        const outcome = await authenticate(options.verifyToken, frame.accessToken);
        if (!("reason" in outcome)) return connection.authorize(outcome);
        const { reason, ...presented } = outcome;
        // The present token is good still; the client can try again.
        if (reason === "keys_unavailable") return connection.send(errorFrame(reason));
        return connection.end(reason, presented);
      }
    }
  };

  const refuse = async (error: unknown): Promise<void> => {
    if (error instanceof TooManyFrames) await connection.send(errorFrame("too_many_frames"));
    else if (error instanceof AppError) await connection.send(errorFrame(error.code));
    else options.onDefect(error);
  };

  return async (text) => {
    const frame = text === undefined ? undefined : parseClientFrame(text);
    if (frame === undefined) {
      if (!options.badFrames.take(connection.playerId)) return connection.end("too_many_bad_frames");
      return connection.send(errorFrame("invalid_frame"));
    }
    // The refusal is part of the turn: a client that does not read its errors gets no more frames carried out.
    await inTurn(() => carryOut(frame).catch(refuse)).catch(refuse);
  };
}

class TooManyFrames extends Error {}
