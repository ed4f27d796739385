import { mergeGroups } from "./merge-groups.ts";
import type { Tally } from "./report.ts";
import { CURSOR_ROWS, type Snapshots } from "./snapshots.ts";

interface User {
  id: string;
  status: string;
  verified: boolean;
  created_at: string;
  is_due: boolean;
  status_changed_lately: boolean;
  verification_changed_lately: boolean;
}

interface Player {
  id: string;
  status: string;
  verified: boolean;
  registered_at: string | null;
}

/**
 * Promotions knows every player whose registration is older than the bound, with the same time of registration, the
 * same status and the same verification, and no others. Promotions' snapshot is the older one, so whom it knows must be in Users (snapshots.ts).
 */
export async function checkPlayers(
  { users, promotions }: Snapshots,
  bounds: { lagBoundMs: number },
  tally: Tally,
): Promise<void> {
  const registered = users<User[]>`
    select id, status, verified, created_at, created_at < due as is_due,
      coalesce(verification_changed_at >= due, false) as verification_changed_lately,
      id in (select user_id from user_status_changes where changed_at >= due) as status_changed_lately
    from users, (select now() - ${bounds.lagBoundMs}::float8 * interval '1 millisecond' as due) as bound
    where role = 'player' order by id`.cursor(CURSOR_ROWS);
  const known = promotions<Player[]>`select id, status, verified, registered_at from players order by id`.cursor(
    CURSOR_ROWS,
  );
  const groups = mergeGroups(
    registered,
    ({ id }) => id,
    known,
    ({ id }) => id,
  );
  for await (const { key, left, right } of groups) {
    tally.checked += 1;
    const problem = problemOf(left[0], right[0]);
    if (problem !== undefined) tally.add(() => `player ${key}: ${problem}`);
  }
}

function problemOf(user: User | undefined, player: Player | undefined): string | undefined {
  if (user === undefined) return "known to Promotions, but no player of Users";
  if (player === undefined) {
    return user.is_due ? `registered at ${user.created_at}, but unknown to Promotions` : undefined;
  }
  if (player.registered_at !== user.created_at) {
    // Without a time, Promotions has heard of a change of status before the registration.
    if (player.registered_at === null && !user.is_due) return undefined;
    return `registered at ${user.created_at}, by Promotions at ${player.registered_at ?? "no time"}`;
  }
  if (player.status !== user.status && !user.status_changed_lately) {
    return `${user.status} in Users, ${player.status} in Promotions`;
  }
  if (player.verified !== user.verified && !user.verification_changed_lately) {
    const inWords = (verified: boolean) => (verified ? "verified" : "not verified");
    return `${inWords(user.verified)} in Users, ${inWords(player.verified)} in Promotions`;
  }
  return undefined;
}
