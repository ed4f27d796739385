import { ServerError, Status } from "nice-grpc-common";
import { AppError, type ErrorKind, unavailable } from "../errors.ts";
import { isPostgresUnavailable } from "../postgres.ts";

/** The gRPC transport's map of error kinds; the compiler refuses it when a kind is missing. */
export function toGrpcStatus(kind: ErrorKind): Status {
  switch (kind) {
    case "invalid_argument":
    case "unsupported_media_type":
    case "unprocessable":
      return Status.INVALID_ARGUMENT;
    case "unauthenticated":
      return Status.UNAUTHENTICATED;
    case "permission_denied":
      return Status.PERMISSION_DENIED;
    case "not_found":
      return Status.NOT_FOUND;
    case "already_exists":
      return Status.ALREADY_EXISTS;
    case "failed_precondition":
      return Status.FAILED_PRECONDITION;
    case "deadline_exceeded":
      return Status.DEADLINE_EXCEEDED;
    case "payload_too_large":
    case "rate_limited":
      return Status.RESOURCE_EXHAUSTED;
    case "unavailable":
      return Status.UNAVAILABLE;
  }
}

/** @returns what goes over the wire for what was thrown: `code: detail`, or nothing of a defect but INTERNAL */
export function toServerError(error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  if (error instanceof AppError) return new ServerError(toGrpcStatus(error.kind), `${error.code}: ${error.message}`);
  if (isPostgresUnavailable(error)) return toServerError(unavailable("database_unavailable", "The database", error));
  return new ServerError(Status.INTERNAL, "internal: something went wrong on our side");
}
