import { MIMEType } from "node:util";
import type { Context } from "hono";
import { AppError } from "../errors.ts";

const JSON_TYPE = "application/json";

/**
 * Lets only JSON in UTF-8 through, which is not compressed, and writes its type in the one form that all who read it later
 * agree on. No type is fine where there is no body.
 *
 * @throws AppError `unsupported_media_type`
 */
export function requireJson(c: Context): void {
  const encoding = c.req.header("content-encoding");
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    // RFC 9110, 12.5.3: so that the client learns that it is the encoding.
    c.header("accept-encoding", "identity");
    throw unsupported("Send the body as it is: no Content-Encoding is taken.");
  }
  const type = c.req.header("content-type");
  if (type === undefined) {
    if (hasBody(c)) throw unsupported("Send the body as JSON, with the header Content-Type: application/json.");
    return;
  }
  if (type === JSON_TYPE) return;
  const parsed = parse(type);
  if (parsed?.essence !== JSON_TYPE) {
    throw unsupported("Send the body as JSON, with the header Content-Type: application/json.");
  }
  if (!isUtf8(parsed.params.get("charset") ?? "utf-8")) throw unsupported("Send the body in UTF-8.");
  c.req.raw.headers.set("content-type", JSON_TYPE);
}

/** RFC 9112, 6: these two headers announce a body. */
function hasBody(c: Context): boolean {
  return c.req.header("transfer-encoding") !== undefined || Number(c.req.header("content-length") ?? 0) > 0;
}

function parse(type: string): MIMEType | undefined {
  try {
    return new MIMEType(type);
  } catch {
    return undefined;
  }
}

/** By any of its names in the WHATWG's table. */
function isUtf8(charset: string): boolean {
  try {
    return new TextDecoder(charset).encoding === "utf-8";
  } catch {
    return false;
  }
}

function unsupported(detail: string): AppError {
  return new AppError("unsupported_media_type", "unsupported_media_type", detail);
}
