import { sql } from "drizzle-orm";
import { promotions } from "../../../drizzle/promotions/schema.ts";
import type { PromotionsContext } from "../context.ts";
import { DUES, type Due, isDue } from "./run-out.ts";

/**
 * Finds promotions with assignments that have run out and are not marked, or soon run out and whose players were not told: a look
 * into an index for each promotion.
 *
 * @param input.noticeHours how long before the end a player is told
 */
export async function findRunOut(
  ctx: Pick<PromotionsContext, "db">,
  { noticeHours }: { noticeHours: number },
): Promise<{ promotionId: string; due: Due }[]> {
  const has = (due: Due) =>
    sql`(exists (select from assignments where ${isDue(due, noticeHours)})) as ${sql.identifier(due)}`;
  const rows = await ctx.db.execute<{ id: string } & Record<Due, boolean>>(sql`
    select * from (
      select ${promotions.id}, ${sql.join(DUES.map(has), sql`, `)} from ${promotions} where ${promotions.status} <> 'draft'
    ) as promotion where ${sql.join(
      DUES.map((due) => sql.identifier(due)),
      sql` or `,
    )}`);
  return DUES.flatMap((due) => rows.filter((row) => row[due]).map(({ id }) => ({ promotionId: id, due })));
}
