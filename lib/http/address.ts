import type { Context, Next } from "hono";
import { AppError } from "../errors.ts";

/**
 * Middleware that refuses a path or query that does not say what text it means: percent-encoded, but not as UTF-8. Hono would
 * take such a part literally. What is not encoded at all Node.js refuses by itself.
 */
export async function requireReadableAddress(c: Context, next: Next): Promise<void> {
  const [path = "", ...query] = c.req.url.split("?");
  for (const [where, text] of Object.entries({ path, query: query.join("?") })) {
    if (isReadable(text)) continue;
    throw new AppError("invalid_argument", "validation_failed", `The request's ${where} does not fit. See errors.`, {
      errors: [{ path: where, code: "invalid_encoding", message: "must be percent-encoded UTF-8" }],
    });
  }
  await next();
}

function isReadable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
