import { createRoute, z } from "@hono/zod-openapi";
import type { UsersContext } from "../../../domain/users/context.ts";
import { answerChallenge } from "../../../domain/users/sessions/answer-challenge.ts";
import { limitByAddress } from "../../../lib/http/address-limit.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { clientOf } from "../../../lib/http/client.ts";
import { BODY_PROBLEMS, problemResponses } from "../../../lib/http/problem.ts";
import { jsonBody, jsonResponse, noQuery } from "../../../lib/http/schemas.ts";
import type { AddressLimits } from "../address-limits.ts";
import { codeSchema, EXAMPLE_CODE } from "../second-factors/code.ts";
import { type IssueDeps, issuedSessionSchema, issueTokens } from "./issued-session.ts";
import { refreshCookie } from "./presented-token.ts";

const EXAMPLE_CHALLENGE = "nHq0s6Zb3tq1Tn5c0m1oYcE0o8o2h9mJrX5d6gYw0aE";

const challengeText = z
  .string()
  .min(1, "must not be empty")
  .max(256, "must have at most 256 characters")
  .openapi({ description: "Good once, and for five minutes. It is no token." });

/** What a login answers to who has a second factor. */
export const challengeSchema = z
  .object({ secondFactor: z.literal("totp"), challenge: challengeText })
  .openapi("Challenge", { example: { secondFactor: "totp", challenge: EXAMPLE_CHALLENGE } });

const requestSchema = z
  .strictObject({ challenge: challengeText, code: codeSchema })
  .openapi("AnswerChallenge", { example: { challenge: EXAMPLE_CHALLENGE, code: EXAMPLE_CODE } });

export interface SecondFactorDeps extends IssueDeps {
  ctx: UsersContext;
  addressLimits: AddressLimits;
}

/** Opens the session of a login that needs a second factor. */
export function registerSecondFactorRoute(app: HttpApp, deps: SecondFactorDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/second-factor",
      operationId: "answerChallenge",
      tags: ["Auth"],
      summary: "Finish a login by the second factor",
      description:
        "The refresh token goes the way that the login has asked for. A code counts once, a recovery code too; five wrong ones in " +
        "15 minutes are looked at.",
      security: [],
      middleware: limitByAddress(deps.addressLimits.logins),
      request: { query: noQuery, cookies: refreshCookie, body: jsonBody(requestSchema) },
      responses: {
        200: jsonResponse("The session's tokens, as of a login.", issuedSessionSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          401: "`challenge_invalid`, `second_factor_wrong`",
          403: "`account_suspended`, `account_self_excluded`",
          429: "`too_many_attempts`",
          503: "`sessions_unavailable`, `database_unavailable`",
        }),
      },
    }),
    async (c) => {
      const { session, secondFactor, tokenDelivery } = await answerChallenge(deps.ctx, {
        ...c.req.valid("json"),
        client: clientOf(c),
        traceparent: c.get("traceparent"),
        cookie: deps.cookies.find(c),
      });
      c.get("logFields").secondFactor = secondFactor;
      return c.json(await issueTokens(c, deps, session, tokenDelivery), 200);
    },
  );
}
