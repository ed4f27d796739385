import { and, type Column, eq, isNotNull, isNull, sql } from "drizzle-orm";
import { assignments } from "../../../drizzle/promotions/schema.ts";
import type { Queryable } from "../../../lib/postgres.ts";

/** Claims and withdrawals that have begun and not ended, as metrics: name and help. */
export const CLAIM_BACKLOG_GAUGES = {
  claims_claiming: "Claims in status claiming.",
  claims_claiming_oldest_seconds: "Time since the oldest of them began; 0 when there is none.",
  claims_revoking: "Withdrawals in status revoking.",
  claims_revoking_oldest_seconds: "Time since the oldest of them began; 0 when there is none.",
} as const;

/** @returns how many claims and withdrawals are under way, and for how many seconds the oldest is */
export async function readClaimBacklog(ctx: {
  db: Queryable;
}): Promise<Record<keyof typeof CLAIM_BACKLOG_GAUGES, number>> {
  const age = (since: Column) => sql<number>`coalesce(extract(epoch from now() - min(${since})), 0)::float8`;
  const count = sql<number>`count(*)::int`;
  const [claims] = await ctx.db
    .select({ claims_claiming: count, claims_claiming_oldest_seconds: age(assignments.claimingAt) })
    .from(assignments)
    .where(eq(assignments.status, "claiming"));
  const [revocations] = await ctx.db
    .select({ claims_revoking: count, claims_revoking_oldest_seconds: age(assignments.revokingAt) })
    .from(assignments)
    // The first two are what their index says.
    .where(and(isNotNull(assignments.revokingAt), isNull(assignments.revokedAt), eq(assignments.status, "revoking")));
  if (claims === undefined || revocations === undefined) throw new Error("a count returned no row");
  return { ...claims, ...revocations };
}
