import { createMiddleware } from "hono/factory";
import type { Acting } from "../audit/record.ts";
import { isStaff, type Principal, type Restriction, type Role } from "../auth/principal.ts";
import { roleNotAllowed } from "../auth/role-not-allowed.ts";
import type { TokenVerifier } from "../auth/tokens.ts";
import { AppError, unavailable } from "../errors.ts";
import type { HttpContext, HttpEnv } from "./app.ts";

/** The name of the security scheme in the OpenAPI documents. */
export const BEARER_SCHEME = "bearer";

/** For `security` of a route that requires a token; one that requires none says `security: []`. */
export const bearerSecurity = [{ [BEARER_SCHEME]: [] as string[] }];

/**
 * @param verify checks the token
 * @param allowed "any" role, "player" only, "staff" (admins included), or "admin" only
 * @param options.evenRestricted the restrictions of sessions that may use the route all the same; of no others
 * @returns middleware that lets the request through with `principal` set; else 401 `token_missing`, `token_invalid`,
 * `token_too_long`, `token_expired`, `session_revoked`, 403 `session_restricted`, `role_not_allowed`, or, for writes of staff, 503
 * `revocations_unavailable`
 */
export function requireRole(
  verify: TokenVerifier,
  allowed: "any" | Role,
  { evenRestricted }: { evenRestricted?: readonly Restriction[] } = {},
) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const header = c.req.header("authorization");
    if (header === undefined) {
      throw new AppError("unauthenticated", "token_missing", "Send the header Authorization: Bearer <access token>.");
    }
    const token = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(header)?.[1];
    if (token === undefined) {
      throw new AppError(
        "unauthenticated",
        "token_invalid",
        "The Authorization header must be: Bearer <access token>.",
      );
    }
    const principal = await verify(token, evenRestricted);
    c.set("principal", principal);
    if (!isAllowed(principal, allowed)) throw roleNotAllowed(allowed);
    // What staff do commits the house: not by somebody who may have lost the right to.
    if (!principal.isCertain && isStaff(principal) && c.req.method !== "GET") {
      throw unavailable("revocations_unavailable", "What tells of ended sessions", undefined);
    }
    await next();
  });
}

function isAllowed(principal: Principal, allowed: "any" | Role): boolean {
  switch (allowed) {
    case "any":
      return true;
    case "staff":
      return isStaff(principal);
    case "player":
    case "admin":
      return principal.role === allowed;
  }
}

/** @returns who is calling, on a route behind `requireRole` */
export function principalOf(c: HttpContext): Principal {
  const principal = c.get("principal");
  if (principal === undefined) throw new Error(`${c.req.path} reads the principal but requires no token`);
  return principal;
}

/** @returns who is calling and in which request, as the audit has it, on a route behind `requireRole` */
export const actingOf = (c: HttpContext): Acting & { actorId: string } => ({
  actorId: principalOf(c).id,
  requestId: c.get("requestId"),
});
