import { z } from "zod";
import type { Notification } from "../domain/notifications/notification.ts";
import { encodePosition, type Position, positionOf } from "../domain/notifications/position.ts";
import { uuid } from "../lib/ids.ts";
import { parseJson } from "../lib/json.ts";

/**
 * Bytes; longer client frames cut the connection, which the client sees as 1006. The longest we expect is an `auth` frame
 * of about 500.
 */
export const CLIENT_FRAME_BYTES_MAX = 16 * 1024;

/** What a client may send. */
const clientFrame = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("read"), id: uuid }),
  z.strictObject({ type: z.literal("auth"), accessToken: z.string().min(1) }),
]);
export type ClientFrame = z.infer<typeof clientFrame>;

/** @returns the frame, or undefined if it is none of ours */
export function parseClientFrame(text: string): ClientFrame | undefined {
  try {
    return clientFrame.safeParse(parseJson(text)).data;
  } catch {
    return undefined;
  }
}

export const notificationFrame = (notification: Notification): string =>
  JSON.stringify({
    type: "notification",
    id: notification._id,
    cursor: encodePosition(positionOf(notification)),
    event: notification.type,
    content: notification.content,
    createdAt: notification.createdAt.toISOString(),
  });

/** @param recovered whether everything after the client's cursor was sent before this frame */
export const readyFrame = (position: Position, recovered: boolean): string =>
  JSON.stringify({ type: "ready", cursor: encodePosition(position), recovered });

/** @param code stable; see docs/errors.md */
export const errorFrame = (code: string): string => JSON.stringify({ type: "error", code });
