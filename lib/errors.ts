/**
 * What went wrong, independent of any transport. Each transport maps every kind in one exhaustive switch
 * (`lib/http/problem.ts`, `lib/grpc/status.ts`).
 */
export type ErrorKind =
  | "invalid_argument"
  | "unauthenticated"
  | "permission_denied"
  | "not_found"
  | "already_exists"
  | "failed_precondition"
  | "deadline_exceeded"
  | "payload_too_large"
  | "unsupported_media_type"
  | "unprocessable"
  | "rate_limited"
  | "unavailable";

/** One wrong field of an input: `path` is a JSON pointer-like path, `message` says what to do. */
export interface FieldError {
  path: string;
  code: string;
  message: string;
}

/**
 * An error that the caller can act on. Everything else that is thrown is a defect and is answered without details.
 *
 * `code` is stable and documented (docs/errors.md); `detail` is for people and says what to do.
 */
export class AppError extends Error {
  override name = "AppError";
  readonly kind: ErrorKind;
  readonly code: string;
  readonly errors: FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** For the log line of who asked, such as whose account it is about. Ids, nothing personal; never part of an answer. */
  readonly logFields: Record<string, unknown> | undefined;

  constructor(
    kind: ErrorKind,
    code: string,
    detail: string,
    options: {
      errors?: FieldError[];
      retryAfterSeconds?: number;
      logFields?: Record<string, unknown>;
      cause?: unknown;
    } = {},
  ) {
    super(detail, { cause: options.cause });
    this.kind = kind;
    this.code = code;
    this.errors = options.errors;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.logFields = options.logFields;
  }
}

/** @returns an error for a 503: the dependency `what` did not answer; try again after `retryAfterSeconds`. */
export function unavailable(code: string, what: string, cause: unknown, retryAfterSeconds = 2): AppError {
  return new AppError("unavailable", code, `${what} can't be reached right now; try again in a moment.`, {
    cause,
    retryAfterSeconds,
  });
}

/** @returns the `code` property that Node.js, drivers and servers put on their errors, if there is one */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" || typeof code === "number" ? String(code) : undefined;
}
