import { z } from "zod";
import { AppError } from "./errors.ts";

/** A place in a list, as its cursors hold it. */
export type Position = readonly (string | number)[];

/**
 * Opaque cursors of lists: base64url of a small JSON array. Clients must not look inside; the position they name is
 * stable while rows are added.
 */
export function encodeCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/**
 * @param cursor what the client sent
 * @param schema the shape of the position inside
 * @returns the position
 * @throws AppError `invalid_cursor` if it isn't, character by character, one that `encodeCursor` makes
 */
export function decodeCursor<T extends z.ZodType<Position>>(cursor: string, schema: T): z.output<T> {
  try {
    const position = schema.parse(JSON.parse(Buffer.from(cursor, "base64url").toString("utf8")));
    // Node.js passes over what is no base64url, such as anything at the end.
    if (encodeCursor(position) === cursor) return position;
    throw new Error("not in the one form that we make");
  } catch (cause) {
    throw invalidCursor(cause);
  }
}

/** @returns the error for a cursor that is not the list's */
export const invalidCursor = (cause?: unknown) =>
  new AppError("invalid_argument", "invalid_cursor", "The cursor is not one that this list returned.", { cause });

/**
 * The cursors of one list sorted by a UUIDv7.
 *
 * @param list names the list, so that no other takes its cursors; a player's or user's own list has their id in it
 */
export function cursorsOf(list: string) {
  const position = z.tuple([z.literal(list), z.guid()]);
  return {
    encode: (id: string): string => encodeCursor([list, id]),
    /** @throws AppError `invalid_cursor` */
    decode: (cursor: string): string => decodeCursor(cursor, position)[1],
  };
}

/**
 * Cuts a page out of `limit + 1` rows.
 *
 * @param rows up to `limit + 1` rows, in the list's order
 * @param limit the page's size
 * @param cursorOf the cursor of a row
 * @returns the page and the cursor of the next one, null on the last
 */
export function toPage<T>(
  rows: T[],
  limit: number,
  cursorOf: (row: T) => string,
): { data: T[]; nextCursor: string | null } {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return { data, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}
