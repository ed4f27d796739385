import { and, eq, lt, sql } from "drizzle-orm";
import { AppError } from "../errors.ts";
import type { Database } from "../postgres.ts";
import { idempotencyKeys } from "./schema.ts";

/** How long an answer is kept, in hours. */
const KEPT_HOURS = 24;

export interface KeyedRequest {
  actorId: string;
  key: string;
  /** of all that makes two requests the same */
  hash: string;
}

/**
 * Does something at most once per actor and key, and gives the same answer to the same request again. The answer is
 * written in the transaction of the effect: both are there, or none. What fails leaves nothing, and may be tried again
 * under the same key.
 *
 * @param work gets the transaction as its database
 * @throws AppError `idempotency_key_in_use` while the same key is under way elsewhere, without waiting for it;
 * `idempotency_key_reused` for another request under it; and what `work` throws
 */
export async function once<Body>(
  db: Database,
  { actorId, key, hash }: KeyedRequest,
  work: (db: Database) => Promise<Body>,
): Promise<{ body: Body; replayed: boolean }> {
  // Not in the transaction, which may last: others that come meanwhile would wait for it to delete the same rows.
  await db.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAt, sql`now() - ${KEPT_HOURS} * interval '1 hour'`));
  return db.transaction(async (tx) => {
    const [lock] = await tx.execute<{ held: boolean }>(
      sql`select pg_try_advisory_xact_lock(hashtextextended(${`${actorId} ${key}`}::text, 0)) as held`,
    );
    if (!lock?.held) throw keyInUse();
    const isThisOne = and(eq(idempotencyKeys.actorId, actorId), eq(idempotencyKeys.key, key));
    const [known] = await tx.select().from(idempotencyKeys).where(isThisOne);
    if (known !== undefined) {
      if (known.requestHash !== hash) {
        throw new AppError(
          "unprocessable",
          "idempotency_key_reused",
          "This Idempotency-Key was used for another request; use a new one for each.",
        );
      }
      return { body: JSON.parse(known.body) as Body, replayed: true };
    }
    // A transaction does all that its callers ask of a database; one of theirs inside is a savepoint.
    const body = await work(tx as unknown as Database);
    await tx.insert(idempotencyKeys).values({ actorId, key, requestHash: hash, body: JSON.stringify(body) });
    return { body, replayed: false };
  });
}

/** How long a saga's request is taken to be under way that has no answer yet, in seconds; longer than one can live. */
const SAGA_SECONDS_MAX = 20;

/**
 * As {@link once}, for what can't be done in one transaction and is safe to repeat. The key is taken before it begins, and its
 * answer is written when it has ended well. What fails leaves no key, and may be repeated at once; what died in between may after
 * SAGA_SECONDS_MAX.
 *
 * @throws as {@link once}
 */
export async function onceAsSaga<Body>(
  db: Database,
  request: KeyedRequest,
  work: () => Promise<Body>,
): Promise<{ body: Body; replayed: boolean }> {
  const isThisOne = and(eq(idempotencyKeys.actorId, request.actorId), eq(idempotencyKeys.key, request.key));
  const taken = await once<Body | null>(db, request, async () => null);
  if (taken.body !== null) return { body: taken.body, replayed: true };
  if (taken.replayed) {
    const begunBefore = sql`now() - ${SAGA_SECONDS_MAX} * interval '1 second'`;
    const [stale] = await db
      .update(idempotencyKeys)
      .set({ createdAt: sql`now()` })
      .where(and(isThisOne, lt(idempotencyKeys.createdAt, begunBefore)))
      .returning({ key: idempotencyKeys.key });
    if (stale === undefined) throw keyInUse();
  }
  try {
    const body = await work();
    await db
      .update(idempotencyKeys)
      .set({ body: JSON.stringify(body) })
      .where(isThisOne);
    return { body, replayed: false };
  } catch (error) {
    // If this fails too, it is as if the process had died.
    await db
      .delete(idempotencyKeys)
      .where(isThisOne)
      .catch(() => {});
    throw error;
  }
}

const keyInUse = () =>
  new AppError(
    "failed_precondition",
    "idempotency_key_in_use",
    "A request with this Idempotency-Key is under way; wait for it, or repeat this one in a moment.",
  );
