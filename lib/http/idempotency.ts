import { createHmac } from "node:crypto";
import { z } from "@hono/zod-openapi";
import { type KeyedRequest, once, onceAsSaga } from "../idempotency/once.ts";
import type { Database } from "../postgres.ts";
import type { HttpContext } from "./app.ts";
import { principalOf } from "./auth.ts";

export const IDEMPOTENCY_HEADER = "idempotency-key";
const REPLAYED_HEADER = "idempotency-replayed";

/** What a client may give as the key of a request. */
export const idempotencyKeySchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters")
  .optional();

/** The headers of a POST of staff (draft-ietf-httpapi-idempotency-key-header). Without an example: Swagger UI would send it. */
export const idempotencyHeaders = z.object({
  [IDEMPOTENCY_HEADER]: idempotencyKeySchema.openapi({
    description:
      "Of your choice, new for each request that is meant anew. For a day the same request under it gets the same answer, with " +
      "`Idempotency-Replayed: true`, and has no further effect.",
  }),
});

/** What a route with `idempotencyHeaders` may answer besides; for `problemResponses`. */
export const IDEMPOTENCY_PROBLEMS = { 422: "`idempotency_key_reused`" } as const;

/**
 * Does what a request asks for, once if it came with a key.
 *
 * @param secret of this service, for the hash of what was asked, which may hold what must not be guessed
 * @param work gets the database to do it in
 * @returns the answer's body
 */
export function answerOnce<Body>(
  c: HttpContext,
  { db, secret }: { db: Database; secret: string },
  work: (db: Database) => Promise<Body>,
): Promise<Body> {
  return answer(
    c,
    secret,
    () => work(db),
    (request) => once(db, request, work),
  );
}

/** As {@link answerOnce}, for what can't be done in one transaction and is safe to repeat. */
export function answerOnceAsSaga<Body>(
  c: HttpContext,
  { db, secret }: { db: Database; secret: string },
  work: () => Promise<Body>,
): Promise<Body> {
  return answer(c, secret, work, (request) => onceAsSaga(db, request, work));
}

async function answer<Body>(
  c: HttpContext,
  secret: string,
  work: () => Promise<Body>,
  workOnce: (request: KeyedRequest) => Promise<{ body: Body; replayed: boolean }>,
): Promise<Body> {
  const key = c.req.header(IDEMPOTENCY_HEADER);
  if (key === undefined) return work();
  const asked = JSON.stringify([c.req.method, c.req.url.replace(/^[^/]*\/\/[^/]*/, ""), await c.req.text()]);
  const hash = createHmac("sha256", secret).update(asked).digest("base64url");
  const { replayed, body } = await workOnce({ actorId: principalOf(c).id, key, hash });
  c.get("logFields").replayed = replayed;
  if (replayed) c.header(REPLAYED_HEADER, "true");
  return body;
}
