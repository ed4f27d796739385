import type { Context } from "hono";
import { AppError } from "../errors.ts";

/**
 * Refuses a path or query that does not say what text it means: percent-encoded, but not as UTF-8. Hono would take such a part
 * literally. What is not encoded at all Node.js refuses by itself.
 *
 * @throws AppError `validation_failed`
 */
export function requireReadableAddress(c: Context): void {
  if (!c.req.url.includes("%")) return;
  const [path = "", ...query] = c.req.url.split("?");
  for (const [where, text] of Object.entries({ path, query: query.join("?") })) {
    if (isReadable(text)) continue;
    throw new AppError("invalid_argument", "validation_failed", `The request's ${where} does not fit. See errors.`, {
      errors: [{ path: where, code: "invalid_encoding", message: "must be percent-encoded UTF-8" }],
    });
  }
}

function isReadable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
