import { createRoute, z } from "@hono/zod-openapi";
import type { UsersContext } from "../../../domain/users/context.ts";
import { presentedPasswordSchema } from "../../../domain/users/passwords/credentials.ts";
import { beginEnrolment } from "../../../domain/users/second-factors/begin-enrolment.ts";
import { confirmEnrolment } from "../../../domain/users/second-factors/confirm-enrolment.ts";
import { removeSecondFactor } from "../../../domain/users/second-factors/remove-second-factor.ts";
import type { TokenVerifier } from "../../../lib/auth/tokens.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { bearerSecurity, principalOf, requireRole } from "../../../lib/http/auth.ts";
import { clientOf } from "../../../lib/http/client.ts";
import { BODY_PROBLEMS, problemResponses, TOKEN_PROBLEMS } from "../../../lib/http/problem.ts";
import { jsonBody, jsonResponse, noQuery } from "../../../lib/http/schemas.ts";
import { codeSchema, EXAMPLE_CODE } from "./code.ts";

/** Not required: who has logged in just now, and has no factor yet, has nothing to send. */
const beginRequest = {
  query: noQuery,
  body: {
    content: {
      "application/json": {
        schema: z
          .strictObject({
            currentPassword: presentedPasswordSchema.optional().openapi({
              description: "Of who has no second factor, unless they logged in within the last ten minutes.",
            }),
            code: codeSchema.optional().openapi({
              description: "Of who has one: its code, or a recovery code of it, to put another in its place.",
            }),
          })
          .openapi("BeginEnrolment", { example: {} }),
      },
    },
  },
};

const enrolmentSchema = z
  .object({
    secret: z.string().openapi({ description: "In base32, for who types it into the app." }),
    otpauthUri: z.string().openapi({ description: "The same as an address; as a QR code, apps take it over." }),
  })
  .openapi("Enrolment", {
    example: {
      secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
      otpauthUri:
        "otpauth://totp/casino.example:ada%40example.com?issuer=casino.example&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" +
        "&algorithm=SHA1&digits=6&period=30",
    },
  });

const confirmationSchema = z.strictObject({ code: codeSchema }).openapi("SecondFactorCode", {
  example: { code: EXAMPLE_CODE },
});

const recoveryCodesSchema = z
  .object({
    recoveryCodes: z
      .array(z.string())
      .openapi({ description: "Each opens the account once in the code's place. They are not shown again." }),
  })
  .openapi("RecoveryCodes", {
    example: { recoveryCodes: ["K3QF-7MZA-P2XN-LD6W-A7TB-QX2M", "5KEV-J3RC-ZU4Y-6HGO-N2WD-IB7P"] },
  });

export interface OwnFactorDeps {
  ctx: UsersContext;
  verifyToken: TokenVerifier;
}

/** A user sets up their second factor, replaces it, removes it. */
export function registerOwnFactorRoutes(app: HttpApp, { ctx, verifyToken }: OwnFactorDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/totp",
      operationId: "beginEnrolment",
      tags: ["Account"],
      summary: "Begin to set up a second factor, or another one",
      description:
        "Nothing changes until a code of it is confirmed, by this session and within ten minutes. Open to sessions of staff that " +
        "were opened without the second factor they need.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any", { evenRestricted: ["second_factor"] }),
      request: beginRequest,
      responses: {
        200: jsonResponse("A secret for an authenticator app (RFC 6238: SHA-1, 6 digits, 30 s).", enrolmentSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403:
            "`reauthentication_required`, `second_factor_wrong`, `current_password_wrong`, `account_suspended`, " +
            "`account_self_excluded`, `session_restricted`",
          404: "`user_not_found`",
          429: "`too_many_attempts`",
          503: "`sessions_unavailable`, `database_unavailable`, `passwords_busy`",
        }),
      },
    }),
    async (c) => {
      const { id: userId, sessionId } = principalOf(c);
      const input = { ...c.req.valid("json"), userId, sessionId, address: clientOf(c).address };
      return c.json(await beginEnrolment(ctx, input), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/totp/confirm",
      operationId: "confirmEnrolment",
      tags: ["Account"],
      summary: "Confirm the second factor by a code of it",
      description:
        "From now on a login needs it. All your other sessions end; this one stays what it is, so staff who need the factor log in " +
        "with it now. The code counts as used.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any", { evenRestricted: ["second_factor"] }),
      request: { query: noQuery, body: jsonBody(confirmationSchema) },
      responses: {
        200: jsonResponse("For who loses the app; those from before are void.", recoveryCodesSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403: "`second_factor_wrong`, `role_not_allowed`, `account_suspended`, `account_self_excluded`, `session_restricted`",
          409: "`enrolment_not_found`",
          429: "`too_many_attempts`",
          503: "`sessions_unavailable`, `database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const actor = principalOf(c);
      const recoveryCodes = await confirmEnrolment(ctx, {
        ...c.req.valid("json"),
        actor,
        sessionId: actor.sessionId,
      });
      return c.json({ recoveryCodes }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/api/v1/auth/totp",
      operationId: "removeSecondFactor",
      tags: ["Account"],
      summary: "Remove your second factor",
      description: "All your other sessions end. Staff who need one can only put another in its place.",
      security: bearerSecurity,
      middleware: requireRole(verifyToken, "any"),
      request: { query: noQuery, body: jsonBody(confirmationSchema) },
      responses: {
        204: { description: "The password alone opens the account." },
        ...problemResponses({
          ...BODY_PROBLEMS,
          ...TOKEN_PROBLEMS,
          403:
            "`session_restricted`, `second_factor_required`, `second_factor_wrong`, `account_suspended`, " +
            "`account_self_excluded`",
          404: "`second_factor_not_found`, `user_not_found`",
          429: "`too_many_attempts`",
          503: "`sessions_unavailable`, `database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { id: userId, sessionId } = principalOf(c);
      await removeSecondFactor(ctx, { ...c.req.valid("json"), userId, sessionId });
      return c.body(null, 204);
    },
  );
}
