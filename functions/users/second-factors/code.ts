import { z } from "@hono/zod-openapi";

/** What somebody shows of their second factor. Whether it fits is for the verbs to say. */
export const codeSchema = z.string().min(1, "must not be empty").max(64, "must have at most 64 characters").openapi({
  description: "The six digits that the authenticator app shows, or a recovery code.",
});

export const EXAMPLE_CODE = "492039";
