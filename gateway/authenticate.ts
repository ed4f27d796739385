import type { Principal } from "../lib/auth/principal.ts";
import type { TokenVerifier } from "../lib/auth/tokens.ts";
import { AppError } from "../lib/errors.ts";
import type { CloseReason } from "./close-codes.ts";

/** The protocol that the edge speaks, and the one it chooses when a client offers it. */
const SUBPROTOCOL = "casino.v1";
const TOKEN_PREFIX = "bearer.";

/**
 * Reads an access token from an upgrade request: from `Authorization: Bearer`, or, since browsers can't set that, from
 * the offered subprotocols `casino.v1, bearer.<access token>`.
 *
 * @param headers as they came; empty strings where there were none
 * @returns the token if there is one, and the subprotocol to answer with, or "" for none; never the one with the token
 */
export function readCredentials(headers: { authorization: string; subprotocols: string }): {
  token: string | undefined;
  subprotocol: string;
} {
  const offered = headers.subprotocols.split(",").map((protocol) => protocol.trim());
  const fromHeader = /^Bearer (\S+)$/i.exec(headers.authorization)?.[1];
  const fromProtocol = offered.find((protocol) => protocol.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length);
  return {
    token: headers.authorization === "" ? fromProtocol : fromHeader,
    subprotocol: offered.includes(SUBPROTOCOL) ? SUBPROTOCOL : "",
  };
}

/** @returns who it is, or why the connection must end */
export async function authenticate(
  verifyToken: TokenVerifier,
  token: string | undefined,
): Promise<Principal | CloseReason> {
  if (token === undefined) return "unauthenticated";
  try {
    return await verifyToken(token);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.kind === "unavailable") return "keys_unavailable";
    return error.code === "token_expired" ? "token_expired" : "unauthenticated";
  }
}
