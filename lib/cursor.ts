import { z } from "zod";
import { AppError } from "./errors.ts";

/**
 * Opaque cursors of lists: base64url of a small JSON array. Clients must not look inside; the position they name is
 * stable while rows are added.
 */
export function encodeCursor(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/**
 * @param cursor what the client sent
 * @param schema the shape of the position inside
 * @returns the position
 * @throws AppError `invalid_cursor` if it isn't one of ours
 */
export function decodeCursor<T extends z.ZodType>(cursor: string, schema: T): z.output<T> {
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, "base64url").toString("utf8")));
  } catch (cause) {
    throw new AppError("invalid_argument", "invalid_cursor", "The cursor is not one that this list returned.", {
      cause,
    });
  }
}

/** The position in a list sorted by a UUIDv7. */
export const idPosition = z.tuple([z.guid()]);

/**
 * Cuts a page out of `limit + 1` rows.
 *
 * @param rows up to `limit + 1` rows, in the list's order
 * @param limit the page's size
 * @param position the position of a row, for the cursor
 * @returns the page and the cursor of the next one, null on the last
 */
export function toPage<T>(
  rows: T[],
  limit: number,
  position: (row: T) => readonly (string | number)[],
): { data: T[]; nextCursor: string | null } {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return { data, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(position(last)) : null };
}
