import { randomBytes } from "node:crypto";

/** W3C Trace Context (https://www.w3.org/TR/trace-context/): version 00, 16-byte trace id, 8-byte parent id, flags. */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/**
 * Continues the caller's trace, or starts one.
 *
 * @param incoming a `traceparent` header, if there was one; a malformed one is ignored, as the standard asks
 * @returns the `traceparent` to pass on, with a parent id of our own, and the trace id for the logs
 */
export function continueTrace(incoming: string | undefined): { traceparent: string; traceId: string } {
  const match = incoming === undefined ? null : TRACEPARENT.exec(incoming);
  const isUsable = match !== null && !/^0+$/.test(match[1] ?? "") && !/^0+$/.test(match[2] ?? "");
  const traceId = isUsable ? (match[1] as string) : randomBytes(16).toString("hex");
  const flags = isUsable ? match[3] : "01";
  return { traceId, traceparent: `00-${traceId}-${randomBytes(8).toString("hex")}-${flags}` };
}
