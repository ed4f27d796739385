import { createRoute, z } from "@hono/zod-openapi";
import { inviteStaff } from "../../../domain/users/accounts/invite-staff.ts";
import { registerStaff } from "../../../domain/users/accounts/register-staff.ts";
import type { UsersContext } from "../../../domain/users/context.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { jsonBody, jsonResponse, noQuery } from "../../../lib/http/schemas.ts";
import { credentials, refusingOwnAddress, toUserJson, userSchema } from "../schemas.ts";

// Not `extend`, of which the document would make an `allOf` with Credentials, which allows no field besides its own.
const requestSchema = refusingOwnAddress(
  z.strictObject({
    ...credentials,
    password: credentials.password.optional().openapi({
      description:
        "Without it they are invited, and choose their own by the link of a mail. Characters are counted in NFC.",
    }),
    role: z.enum(["staff", "admin"]).default("staff"),
  }),
).openapi("Staff", { example: { email: "grace@example.com", password: "correct horse battery", role: "staff" } });

export interface RegisterStaffDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** An admin opens an account for a member of the staff. */
export function registerStaffRoute(app: HttpApp, { ctx, verifyToken }: RegisterStaffDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/register-staff",
      operationId: "registerStaff",
      tags: ["Auth"],
      summary: "Register a member of the staff (admin)",
      description:
        "Without a password an invitation is mailed to them, whose link is good for a week. Who has not accepted theirs can be invited " +
        "again: the answer has the same account, in the role that is asked for now, and the links before are void.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "admin"),
      request: { query: noQuery, body: jsonBody(requestSchema) },
      responses: {
        201: jsonResponse("The account is open; without a password, once the invitation is accepted.", userSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403: "`session_restricted`, `role_not_allowed`, `account_suspended`, `account_self_excluded`",
          409: "`email_taken`",
          503: "`database_unavailable`, `passwords_busy`",
        }),
      },
    }),
    async (c) => {
      const { password, ...member } = c.req.valid("json");
      const input = { ...member, actor: principalOf(c), requestId: c.get("requestId") };
      const staff =
        password === undefined ? await inviteStaff(ctx, input) : await registerStaff(ctx, { ...input, password });
      Object.assign(c.get("logFields"), { userId: staff.id, role: staff.role });
      return c.json(toUserJson(staff), 201);
    },
  );
}
