import { and, desc, eq, gt, ilike, lt, lte, or } from "drizzle-orm";
import { promotions } from "../../../drizzle/promotions/schema.ts";
import { cursorsOf, toPage } from "../../../lib/cursor.ts";
import type { PromotionType } from "../../../lib/events.ts";
import type { PromotionsContext } from "../context.ts";
import { type Promotion, type PromotionStatus, promotionNotFound } from "./promotion.ts";

const cursors = cursorsOf("promotions");

/** @throws AppError `promotion_not_found` */
export async function getPromotion(ctx: PromotionsContext, id: string): Promise<Promotion> {
  const [promotion] = await ctx.db.select().from(promotions).where(eq(promotions.id, id));
  if (promotion === undefined) throw promotionNotFound();
  return promotion;
}

export interface FindPromotionsInput {
  type?: PromotionType | undefined;
  status?: PromotionStatus | undefined;
  /** only those whose window holds this time and whose status is active */
  activeAt?: Date | undefined;
  /** a part of title, description or code, regardless of case */
  q?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}

/**
 * Lists promotions, newest first.
 *
 * @throws AppError `invalid_cursor`
 */
export async function findPromotions(
  ctx: PromotionsContext,
  input: FindPromotionsInput,
): Promise<{ data: Promotion[]; nextCursor: string | null }> {
  const after = input.cursor === undefined ? undefined : cursors.decode(input.cursor);
  const contains = input.q === undefined ? undefined : `%${input.q.replace(/[\\%_]/g, "\\$&")}%`;
  const rows = await ctx.db
    .select()
    .from(promotions)
    .where(
      and(
        after === undefined ? undefined : lt(promotions.id, after),
        input.type === undefined ? undefined : eq(promotions.type, input.type),
        input.status === undefined ? undefined : eq(promotions.status, input.status),
        input.activeAt === undefined
          ? undefined
          : and(
              eq(promotions.status, "active"),
              lte(promotions.startsAt, input.activeAt),
              gt(promotions.endsAt, input.activeAt),
            ),
        contains === undefined
          ? undefined
          : or(...[promotions.title, promotions.description, promotions.code].map((text) => ilike(text, contains))),
      ),
    )
    .orderBy(desc(promotions.id))
    .limit(input.limit + 1);
  return toPage(rows, input.limit, (row) => cursors.encode(row.id));
}
