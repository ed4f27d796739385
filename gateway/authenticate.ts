import type { Principal } from "../lib/auth/principal.ts";
import type { TokenVerifier } from "../lib/auth/tokens.ts";
import { AppError } from "../lib/errors.ts";
import type { CloseReason } from "./close-codes.ts";

/** The protocol that the edge speaks, and the one it chooses when a client offers it. */
const SUBPROTOCOL = "casino.v1";
const TOKEN_PREFIX = "bearer.";

/** Why there is no connection, or none any more. */
export interface Refusal {
  reason: CloseReason;
  /** Who asked, as far as that is certain; for the log. */
  principalId?: unknown;
  sessionId?: unknown;
}

/**
 * Reads an access token from an upgrade request: from `Authorization: Bearer`, or, since browsers can't set that, from
 * the offered subprotocols `casino.v1, bearer.<access token>`. The header goes first. Two tokens in either are none: it
 * is not for us to choose.
 *
 * @param headers as they came, lines of one name joined by commas; empty strings where there were none
 * @returns the token if there is one, and the subprotocol to answer with, or "" for none; never the one with the token
 */
export function readCredentials(headers: { authorization: string; subprotocols: string }): {
  token: string | undefined;
  subprotocol: string;
} {
  const offered = headers.subprotocols.split(",").map((protocol) => protocol.trim());
  const fromHeader = /^Bearer ([^\s,]+)$/i.exec(headers.authorization)?.[1];
  const [inProtocol, second] = offered.filter((protocol) => protocol.startsWith(TOKEN_PREFIX));
  const fromProtocol = second === undefined ? inProtocol?.slice(TOKEN_PREFIX.length) : undefined;
  return {
    token: headers.authorization === "" ? fromProtocol : fromHeader,
    subprotocol: offered.includes(SUBPROTOCOL) ? SUBPROTOCOL : "",
  };
}

/** @returns who it is, or why the connection must end */
export async function authenticate(
  verifyToken: TokenVerifier,
  token: string | undefined,
): Promise<Principal | Refusal> {
  if (token === undefined) return { reason: "unauthenticated" };
  try {
    return await verifyToken(token);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { ...error.logFields, reason: reasonOf(error) };
  }
}

function reasonOf(error: AppError): CloseReason {
  if (error.kind === "unavailable") return "keys_unavailable";
  switch (error.code) {
    case "token_expired":
    case "token_too_long":
    case "session_revoked":
    case "session_restricted":
      return error.code;
    default:
      return "unauthenticated";
  }
}
