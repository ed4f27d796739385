import { z } from "@hono/zod-openapi";
import { AppError, type ErrorKind } from "../errors.ts";

/** RFC 9457 problem document, the body of every error answer. */
export const problemSchema = z
  .object({
    type: z
      .string()
      .openapi({ description: "A URI that names the kind of problem; `about:blank` where `code` says it all." }),
    title: z.string().openapi({ description: "The status in words." }),
    status: z.int(),
    detail: z.string().openapi({ description: "What went wrong here and what to do about it." }),
    code: z.string().openapi({ description: "Stable, for programs; see docs/errors.md." }),
    requestId: z.string().openapi({ description: "Quote it when you ask the operators." }),
    errors: z
      .array(z.object({ path: z.string(), code: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: "The wrong fields, where the input was at fault." }),
  })
  .openapi("Problem", {
    example: {
      type: "about:blank",
      title: "Bad Request",
      status: 400,
      detail: "The request body does not fit. See errors.",
      code: "validation_failed",
      requestId: "0199b1b2-7f5d-7c6e-9c43-5f0f8f0f3b11",
      errors: [{ path: "body.amountMinor", code: "too_small", message: "must be at least 1" }],
    },
  });

export type Problem = z.infer<typeof problemSchema>;

export const PROBLEM_CONTENT_TYPE = "application/problem+json";

export type ProblemStatus = 400 | 401 | 403 | 404 | 408 | 409 | 413 | 415 | 422 | 429 | 503;

const TITLES: Record<ProblemStatus | 500, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** The HTTP transport's map of error kinds; the compiler refuses it when a kind is missing. */
export function toHttpStatus(kind: ErrorKind): ProblemStatus {
  switch (kind) {
    case "invalid_argument":
      return 400;
    case "unauthenticated":
      return 401;
    case "permission_denied":
      return 403;
    case "not_found":
      return 404;
    case "already_exists":
    case "failed_precondition":
      return 409;
    case "deadline_exceeded":
      return 408;
    case "payload_too_large":
      return 413;
    case "unsupported_media_type":
      return 415;
    case "unprocessable":
      return 422;
    case "rate_limited":
      return 429;
    case "unavailable":
      return 503;
  }
}

/**
 * @returns the problem document for what was thrown. Anything but an AppError is a defect: the client learns nothing
 * but the request id.
 */
export function toProblem(error: unknown, requestId: string): Problem {
  if (!(error instanceof AppError)) {
    return {
      type: "about:blank",
      title: TITLES[500],
      status: 500,
      detail: "Something went wrong on our side.",
      code: "internal",
      requestId,
    };
  }
  const status = toHttpStatus(error.kind);
  const problem: Problem = {
    type: "about:blank",
    title: TITLES[status],
    status,
    detail: error.message,
    code: error.code,
    requestId,
  };
  if (error.errors !== undefined) problem.errors = error.errors;
  return problem;
}

/** What any route behind a token may answer; for `problemResponses`. */
export const TOKEN_PROBLEMS = {
  401: "`token_missing`, `token_invalid`, `token_too_long`, `token_expired`, `session_revoked`",
  403: "`session_restricted`",
} as const;

/** What any method that may have a body answers to one that is not right, wanted or not; for `problemResponses`. */
export const UNREAD_BODY_PROBLEMS = { 413: "`payload_too_large`", 415: "`unsupported_media_type`" } as const;

/** What any route that takes a body may answer; for `problemResponses`. */
export const BODY_PROBLEMS = {
  400: "`malformed_json`, `validation_failed`",
  408: "`request_timeout`",
  ...UNREAD_BODY_PROBLEMS,
} as const;

/**
 * The error answers of a route, for its OpenAPI document. Every route may answer 500, and 400 for a malformed request.
 *
 * @param answers per status, the codes a client may meet there
 */
export function problemResponses<T extends Partial<Record<ProblemStatus, string>>>(answers: T) {
  const describe = (description: string) => ({
    description,
    content: { [PROBLEM_CONTENT_TYPE]: { schema: problemSchema } },
  });
  const responses = Object.fromEntries(
    Object.entries<string>(answers).map(([status, description]) => [status, describe(description)]),
  ) as Record<keyof T & ProblemStatus, ReturnType<typeof describe>>;
  return { ...responses, 500: describe("`internal`: a defect on our side; quote the requestId.") };
}
