import { z } from "zod";
import { decodeCursor, encodeCursor } from "../../lib/cursor.ts";
import type { Notification } from "./notification.ts";

/** A place in a player's notifications: right after the one with this seq and id. */
export type Position = readonly [seq: number, id: string];

/** Before everything: where a player without notifications stands. Kafka's offsets begin at 0. */
export const START: Position = [-1, ""];

const positionSchema = z.tuple([z.int().min(-1), z.union([z.guid(), z.literal("")])]);

export const positionOf = ({ seq, _id }: Pick<Notification, "seq" | "_id">): Position => [seq, _id];

/**
 * @returns the opaque cursor of a position; the HTTP list and the WebSocket use the same. Its form is fixed: clients keep
 * the cursor of the last frame for months. It begins with a number, so no other list takes it.
 */
export const encodePosition = (position: Position): string => encodeCursor(position);

/** @throws AppError `invalid_cursor` */
export const decodePosition = (cursor: string): Position => decodeCursor(cursor, positionSchema);
