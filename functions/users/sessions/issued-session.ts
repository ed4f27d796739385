import { z } from "@hono/zod-openapi";
import type { TokenDelivery } from "../../../domain/users/sessions/challenges.ts";
import type { IssuedSession } from "../../../domain/users/sessions/issued-session.ts";
import { accessTokenTtlSeconds } from "../../../lib/auth/principal.ts";
import type { TokenSigner } from "../../../lib/auth/tokens.ts";
import type { HttpContext } from "../../../lib/http/app.ts";
import type { RefreshCookies } from "./session-cookie.ts";

/** A refresh token, in the body of clients that are no browsers. */
export const refreshTokenSchema = z
  .string()
  .min(1, "must not be empty")
  .max(256, "must have at most 256 characters")
  .openapi({ description: "From the answer of login or the last refresh." });

export const issuedSessionSchema = z
  .object({
    accessToken: z.string().openapi({ description: "A JWT for the header Authorization: Bearer." }),
    tokenType: z.literal("Bearer"),
    expiresIn: z.int().openapi({ description: "Seconds that the access token is valid." }),
    restriction: z
      .literal("second_factor")
      .optional()
      .openapi({
        description:
          "Only where the session may do next to nothing. `second_factor`: it was opened without the one that its role needs, and may set " +
          "one up and log out.",
      }),
    refreshToken: refreshTokenSchema.optional().openapi({
      description: 'Only with `tokenDelivery: "body"`; browsers get it as an HttpOnly cookie.',
    }),
  })
  .openapi("Tokens", {
    example: {
      accessToken: "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.e30.c2lnbmF0dXJl",
      tokenType: "Bearer",
      expiresIn: accessTokenTtlSeconds("player"),
    },
  });

export interface IssueDeps {
  signToken: TokenSigner;
  cookies: RefreshCookies;
}

/**
 * Signs the access token of a session and hands over both tokens.
 *
 * @param delivery "cookie" sets the refresh token as a cookie, "body" puts it into the answer
 * @returns the answer's body
 */
export async function issueTokens(
  c: HttpContext,
  { signToken, cookies }: IssueDeps,
  { user, sessionId, restriction, refreshToken, expiresAt }: IssuedSession,
  delivery: TokenDelivery,
): Promise<z.infer<typeof issuedSessionSchema>> {
  Object.assign(c.get("logFields"), { userId: user.id, sessionId, restriction });
  const accessToken = await signToken({ ...user, sessionId, restriction });
  const tokens = {
    accessToken,
    tokenType: "Bearer" as const,
    expiresIn: accessTokenTtlSeconds(user.role),
    ...(restriction === undefined ? {} : { restriction }),
  };
  if (delivery === "body") return { ...tokens, refreshToken };
  cookies.set(c, refreshToken, expiresAt);
  return tokens;
}
