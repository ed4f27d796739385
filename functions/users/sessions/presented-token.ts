import { z } from "@hono/zod-openapi";
import { noQuery } from "../../../lib/http/schemas.ts";
import { refreshTokenSchema } from "./issued-session.ts";
import { REFRESH_COOKIE, SECURE_REFRESH_COOKIE } from "./session-cookie.ts";

/** What a browser has of a session. */
export const refreshCookie = z.object({
  [REFRESH_COOKIE]: z.string().optional().openapi({ description: "Set by login; browsers send it by themselves." }),
  [SECURE_REFRESH_COOKIE]: z.string().optional().openapi({ description: "The same, where TLS is." }),
});

/**
 * The request of routes that take a refresh token from the cookie or from an optional body. One in the body that isn't
 * ours is refused: to go on with the cookie, or without, would do something else than was asked.
 */
export const presentedTokenRequest = {
  query: noQuery,
  cookies: refreshCookie,
  body: {
    content: {
      "application/json": {
        schema: z
          .strictObject({ refreshToken: refreshTokenSchema.optional() })
          .openapi("PresentedToken", { example: {} }),
      },
    },
  },
};
