import { z } from "zod";
import type { UsersContext } from "../context.ts";
import { attempt } from "../sessions/store.ts";

/** An authenticator app may be set up for so long, in seconds. */
const ENROLMENT_SECONDS = 600;

/** A second factor that waits for its first code, from the session that has begun it. */
const enrolmentSchema = z.object({
  sealedSecret: z.string(),
  /** The factor that was there when it was begun, sealed; null if there was none. Over another one it is not written. */
  replaces: z.string().nullable(),
  /** Of the password then: after a change of it, somebody else may have begun this. */
  passwordMark: z.string(),
});
export type Enrolment = z.infer<typeof enrolmentSchema>;

const enrolmentKey = (sessionId: string) => `second-factor-enrolment:${sessionId}`;

/** In the place of one that the session has begun before. @throws AppError `sessions_unavailable` */
export async function storeEnrolment(ctx: UsersContext, sessionId: string, enrolment: Enrolment): Promise<void> {
  await attempt(ctx, (redis) => redis.set(enrolmentKey(sessionId), JSON.stringify(enrolment), "EX", ENROLMENT_SECONDS));
}

/** @throws AppError `sessions_unavailable` */
export async function findEnrolment(ctx: UsersContext, sessionId: string): Promise<Enrolment | undefined> {
  const text = await attempt(ctx, (redis) => redis.get(enrolmentKey(sessionId)));
  return text === null ? undefined : enrolmentSchema.parse(JSON.parse(text));
}
