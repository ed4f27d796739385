import { STATUS_CODES } from "node:http";
import { errorCode } from "../errors.ts";
import { newId } from "../ids.ts";
import type { Logger } from "../telemetry/log.ts";
import { PROBLEM_CONTENT_TYPE, type Problem } from "./problem.ts";

/** What is refused before the app sees it. */
const REFUSALS = {
  malformed: { status: 400, code: "bad_request", detail: "The request is not valid HTTP." },
  late: { status: 408, code: "request_timeout", detail: "The request did not arrive in time." },
  headers: { status: 431, code: "headers_too_large", detail: "The headers of the request are too large." },
} as const;

/**
 * @param error of Node.js's parser or of the adapter; only its code is logged, since it may hold what was sent
 * @returns the problem document for it
 */
export function refuse(error: unknown, log: Logger): Problem {
  const { status, code, detail } = refusalOf(error);
  const requestId = newId();
  log.info({ requestId, status, code, reason: errorCode(error) }, "request refused");
  return { type: "about:blank", title: STATUS_CODES[status] as string, status, detail, code, requestId };
}

function refusalOf(error: unknown) {
  switch (errorCode(error)) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return REFUSALS.late;
    case "HPE_HEADER_OVERFLOW":
      return REFUSALS.headers;
    default:
      return REFUSALS.malformed;
  }
}

/** @returns a problem document as a whole HTTP message, for a connection that has no response object; it says `close` */
export function toMessage(problem: Problem): string {
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    `content-type: ${PROBLEM_CONTENT_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${problem.requestId}`,
    "cache-control: no-store",
    "connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

/** @returns the same as a web response */
export function toResponse(problem: Problem): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      "content-type": PROBLEM_CONTENT_TYPE,
      "x-request-id": problem.requestId,
      "cache-control": "no-store",
    },
  });
}
