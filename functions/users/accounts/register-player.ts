import { createRoute } from "@hono/zod-openapi";
import { registerPlayer } from "../../../domain/users/accounts/register-player.ts";
import type { UsersContext } from "../../../domain/users/context.ts";
import { limitByAddress } from "../../../lib/http/address-limit.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { BODY_PROBLEMS, problemResponses } from "../../../lib/http/problem.ts";
import { jsonBody, jsonResponse, noQuery } from "../../../lib/http/schemas.ts";
import type { AddressLimits } from "../address-limits.ts";
import { credentialsSchema, toUserJson, userSchema } from "../schemas.ts";

export interface RegisterPlayerDeps {
  ctx: UsersContext;
  addressLimits: AddressLimits;
}

/** Anyone opens a player's account. */
export function registerPlayerRoute(app: HttpApp, { ctx, addressLimits }: RegisterPlayerDeps): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/v1/auth/register",
      operationId: "registerPlayer",
      tags: ["Auth"],
      summary: "Register a player",
      description:
        "E-mail addresses are unique regardless of case, and of whether their domain is in Unicode or in ASCII.",
      security: [],
      middleware: limitByAddress(addressLimits.registrations),
      request: { query: noQuery, body: jsonBody(credentialsSchema) },
      responses: {
        201: jsonResponse("The account is open; the welcome bonus follows in a moment.", userSchema),
        ...problemResponses({
          ...BODY_PROBLEMS,
          409: "`email_taken`",
          429: "`too_many_attempts`",
          503: "`database_unavailable`, `passwords_busy`",
        }),
      },
    }),
    async (c) => {
      const player = await registerPlayer(ctx, { ...c.req.valid("json"), traceparent: c.get("traceparent") });
      c.get("logFields").userId = player.id;
      return c.json(toUserJson(player), 201);
    },
  );
}
