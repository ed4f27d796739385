import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshot } from "./snapshots.ts";

interface Row {
  player_id: string;
  registered_at: string | null;
  expected: string | null;
  is_missing: boolean;
  unexpected: string[] | null;
}

/**
 * Every player of Promotions has the welcome bonus that was active at their registration, and was given no other
 * promotion by the system itself (`assigned_by` is null). No bound: player and bonus commit together. Whether all
 * players are here is for checkPlayers.
 *
 * The rule is that of findWelcomeBonusAt (record-player-events.ts), for all players at once: from the history of each
 * bonus come the periods in which it was active. A test holds the two against each other.
 */
export async function checkWelcomeBonuses(promotions: Snapshot, tally: Tally): Promise<void> {
  const [counts] = await promotions<{ players: number }[]>`select count(*)::float8 as players from players`;
  tally.checked = counts?.players ?? 0;
  const rows = promotions<Row[]>`
    with steps as (
      select p.id as promotion_id, p.starts_at, p.ends_at, c.status, c.changed_at,
        lead(c.changed_at) over (partition by p.id order by c.changed_at, c.id) as next_at
      from promotions p join promotion_status_changes c on c.promotion_id = p.id
      where p.type = 'WELCOME_BONUS'
    ), periods as materialized (
      select promotion_id, starts_at, greatest(starts_at, changed_at) as active_from, least(ends_at, next_at) as active_until
      from steps where status = 'active'
    ), given as (
      select player_id, array_agg(promotion_id) as promotion_ids
      from assignments where assigned_by is null group by player_id
    ), expectations as (
      select coalesce(players.id, given.player_id) as player_id, players.registered_at, given.promotion_ids,
        (select promotion_id from periods
         where active_from <= players.registered_at and players.registered_at < active_until
         order by starts_at limit 1) as expected
      from players full join given on given.player_id = players.id
    )
    select * from (
      select e.player_id, e.registered_at, e.expected, e.expected is not null and a.id is null as is_missing,
        array_remove(e.promotion_ids, e.expected) as unexpected
      from expectations e
      left join assignments a on a.player_id = e.player_id and a.promotion_id = e.expected) as found
    where is_missing or cardinality(unexpected) > 0`.cursor(CURSOR_ROWS);
  for await (const batch of rows) for (const row of batch) tally.add(() => describe(row));
}

function describe({ player_id, registered_at, expected, is_missing, unexpected }: Row): string {
  const problems: string[] = [];
  if (is_missing) problems.push(`has not the welcome bonus of that time, ${expected}`);
  if (unexpected !== null && unexpected.length > 0) {
    problems.push(`was given ${unexpected.join(", ")} by the system, instead of ${expected ?? "none"}`);
  }
  return `player ${player_id}, registered at ${registered_at ?? "no time"}: ${problems.join("; ")}`;
}
