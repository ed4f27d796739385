import { eq, sql } from "drizzle-orm";
import { assignments } from "../../../drizzle/promotions/schema.ts";
import type { Queryable } from "../../../lib/postgres.ts";

/** Claims that have begun and not ended, as metrics: name and help. */
export const CLAIM_BACKLOG_GAUGES = {
  claims_claiming: "Claims in status claiming.",
  claims_claiming_oldest_seconds: "Time since the oldest of them began; 0 when there is none.",
} as const;

/** @returns how many claims are under way, and for how many seconds the oldest is */
export async function readClaimBacklog(ctx: {
  db: Queryable;
}): Promise<Record<keyof typeof CLAIM_BACKLOG_GAUGES, number>> {
  const [backlog] = await ctx.db
    .select({
      claims_claiming: sql<number>`count(*)::int`,
      claims_claiming_oldest_seconds: sql<number>`coalesce(extract(epoch from now() - min(${assignments.claimingAt})), 0)::float8`,
    })
    .from(assignments)
    .where(eq(assignments.status, "claiming"));
  return backlog ?? { claims_claiming: 0, claims_claiming_oldest_seconds: 0 };
}
