import { ClientError, Status } from "nice-grpc-common";
import { AppError, unavailable } from "../../../lib/errors.ts";

/**
 * Calls Users about a balance.
 *
 * @throws AppError `balance_unavailable` when there was no answer: what was asked for may have happened; one of the refusals
 * below; anything else as it came: UNAUTHENTICATED, ALREADY_EXISTS, INVALID_ARGUMENT … are a defect or a wrong deployment, for the
 * operators
 */
export async function callBalance<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    switch (error.code) {
      case Status.FAILED_PRECONDITION:
      case Status.NOT_FOUND:
        throw refusalOf(error) ?? error;
      case Status.UNAVAILABLE:
      case Status.DEADLINE_EXCEEDED:
      case Status.CANCELLED:
      case Status.UNKNOWN:
      case Status.INTERNAL:
      case Status.RESOURCE_EXHAUSTED:
      case Status.UNIMPLEMENTED: // by a replica of an older version, which is being replaced
        throw unavailable("balance_unavailable", "The balance", error);
      default:
        throw error;
    }
  }
}

/** Users will not write this transaction, whoever asks: nothing but another key, or another state of the player, changes that. */
export const isRefusal = (error: unknown): error is AppError =>
  error instanceof AppError && error.kind !== "unavailable";

/** @returns why Users refused for good; undefined for a wrong deployment, such as two services with two currencies */
function refusalOf(cause: ClientError): AppError | undefined {
  switch (cause.details.split(":")[0]) {
    case "player_not_active":
    case "player_not_found":
      return new AppError("permission_denied", "player_not_active", "This account can't claim promotions at present.", {
        cause,
      });
    case "balance_limit":
      return new AppError("failed_precondition", "balance_limit", "The balance can't take this amount.", { cause });
    case "insufficient_balance":
      return new AppError(
        "failed_precondition",
        "balance_too_low",
        "The balance is less than what is to be taken back.",
        {
          cause,
        },
      );
    case "transaction_voided":
    case "credit_reversed": // under another key, by a withdrawal that came later
      return new AppError(
        "failed_precondition",
        "transaction_voided",
        "Another attempt was refused just now; try again.",
        {
          cause,
        },
      );
    default:
      return undefined;
  }
}
