/** Why the edge ends a connection. The client gets it as the close frame's reason. */
export type CloseReason =
  | "unauthenticated"
  | "token_too_long"
  | "token_expired"
  | "session_revoked"
  | "session_restricted"
  | "too_slow"
  | "too_many_connections"
  | "too_many_frames"
  | "too_many_bad_frames"
  | "keys_unavailable"
  | "internal"
  | "restarting";

/** The WebSocket's map of reasons to close codes; the compiler refuses it when a reason is missing. */
export function toCloseCode(reason: CloseReason): number {
  switch (reason) {
    case "unauthenticated":
    case "token_too_long":
    case "token_expired":
    case "session_revoked":
    case "session_restricted":
      return 4401;
    case "too_slow":
      return 4408;
    case "too_many_connections":
      return 4429;
    // The rest are the IANA registry's (RFC 6455, section 11.7).
    case "too_many_frames":
    case "too_many_bad_frames":
      return 1008;
    case "internal":
      return 1011;
    case "restarting":
      return 1012;
    case "keys_unavailable":
      return 1013;
  }
}
