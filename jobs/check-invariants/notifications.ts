import { type NotificationsContext, notificationsOf } from "../../domain/notifications/context.ts";
import { RETENTION_DAYS } from "../../domain/notifications/ensure-indexes.ts";
import { mergeGroups } from "./merge-groups.ts";
import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshot } from "./snapshots.ts";

const DAY_MS = 86_400_000;
/** What is about to be forgotten may go while we read. */
const KEPT_SURELY_MS = (RETENTION_DAYS - 1) * DAY_MS;

interface Assignment {
  id: string;
  player_id: string;
  promotion_id: string;
  is_expired: boolean;
  /** older than the bound, and not so old that its notification may be forgotten */
  is_due: boolean;
}

interface Stored {
  _id: string;
  playerId: string;
  type: string;
  /** of a notification about no promotion there is none */
  content: { promotionId?: string };
  createdAt: Date;
}

/**
 * Every assignment older than the bound has exactly one notification that tells of it, and at most one of each other type; it is
 * `expired` if its player was told so; and every notification of a promotion has its assignment. What is older than the document
 * database keeps may be gone.
 *
 * Promotions' snapshot is older than what MongoDB shows, so a notification may be of an assignment that came after it;
 * it is young then, by Promotions' own clock.
 */
export async function checkNotifications(
  promotions: Snapshot,
  documents: NotificationsContext,
  bounds: { lagBoundMs: number },
  tally: Tally,
): Promise<void> {
  const [snapshot] = await promotions<
    { taken_ms: number }[]
  >`select extract(epoch from now())::float8 * 1000 as taken_ms`;
  if (snapshot === undefined) throw new Error("PostgreSQL does not tell its time");
  const due = new Date(snapshot.taken_ms - bounds.lagBoundMs);
  const assignments = promotions<Assignment[]>`
    select id, player_id, promotion_id, status = 'expired' as is_expired,
      assigned_at < ${due.toISOString()}::timestamptz and assigned_at > now() - ${KEPT_SURELY_MS}::float8 * interval '1 millisecond' as is_due
    from assignments order by player_id, promotion_id`.cursor(CURSOR_ROWS);
  const groups = mergeGroups(
    assignments,
    ({ player_id }) => player_id,
    readNotifications(documents),
    ({ playerId }) => playerId,
  );
  for await (const { key, left, right } of groups) {
    const stored = Map.groupBy(right, ({ content }) => content.promotionId?.toLowerCase());
    stored.delete(undefined);
    for (const { id, promotion_id, is_due, is_expired } of left) {
      tally.checked += 1;
      const ofType = Map.groupBy(stored.get(promotion_id) ?? [], ({ type }) => type);
      if (is_due && !ofType.has("PROMOTION")) ofType.set("PROMOTION", []);
      for (const [type, { length }] of ofType) {
        if (length === 1) continue;
        tally.add(
          () =>
            `assignment ${id} of promotion ${promotion_id} to player ${key}: ${length} notifications of type ${type}`,
        );
      }
      if (!is_expired && ofType.get("PROMOTION_EXPIRED")?.some(({ createdAt }) => createdAt < due)) {
        tally.add(
          () => `assignment ${id} of promotion ${promotion_id} to player ${key}: told that it has expired, and has not`,
        );
      }
      stored.delete(promotion_id);
    }
    for (const { _id, content, createdAt } of [...stored.values()].flat()) {
      if (createdAt >= due) continue;
      tally.add(() => `notification ${_id}: player ${key} has no assignment of promotion ${content.promotionId}`);
    }
  }
}

/** In the order of an index, so that MongoDB sorts nothing. */
async function* readNotifications(documents: NotificationsContext): AsyncGenerator<Stored[]> {
  const cursor = notificationsOf(documents)
    .find({}, { batchSize: CURSOR_ROWS })
    .sort({ playerId: 1, seq: 1 })
    .project<Stored>({ playerId: 1, type: 1, "content.promotionId": 1, createdAt: 1 });
  try {
    while (await cursor.hasNext()) yield cursor.readBufferedDocuments();
  } finally {
    await cursor.close();
  }
}
