import type { HttpContext } from "./app.ts";

/** Who asks, as far as it can be told: for people who look through their sessions, not for decisions. */
export function clientOf(c: HttpContext): { userAgent: string; address: string } {
  return {
    userAgent: c.req.header("user-agent") ?? "",
    // Set by the proxy, which believes no caller's own; who asks a service directly has none.
    address: c.req.header("x-forwarded-for") ?? c.env?.incoming?.socket.remoteAddress ?? "",
  };
}
