import { readFileSync } from "node:fs";
import path from "node:path";
import type { Role } from "../../lib/auth/principal.ts";
import { createTokenSigner } from "../../lib/auth/tokens.ts";
import { newId } from "../../lib/ids.ts";
import type { BenchSystem, PostgresSql } from "./system.ts";

export const AMOUNT_MINOR = 500;

export interface Player {
  id: string;
  token: string;
}

/** What `functions/users/config.ts` and `functions/promotions/config.ts` agree on by default. */
const AUDIENCE = { issuer: "casino-users", audience: "casino" };

/** @returns a function that signs access tokens, each of a session that nobody knows */
export async function createSigner(secrets: string) {
  const [key] = JSON.parse(readFileSync(path.join(secrets, "jwt-signing-keys.json"), "utf8")).keys;
  const sign = await createTokenSigner(key, AUDIENCE);
  return (id: string, role: Role) => sign({ id, role, sessionId: newId() });
}

/** Has every player who registers from now on get a bonus. */
export async function createWelcomeBonus(promotions: PostgresSql): Promise<void> {
  const [bonus] = await promotions<{ id: string; created_by: string }[]>`
    insert into promotions (title, description, type, status, amount_minor, currency, starts_at, ends_at, created_by)
    values ('Welcome', 'Made by a bench.', 'WELCOME_BONUS', 'active', ${AMOUNT_MINOR}, 'EUR',
      now() - interval '1 day', now() + interval '30 days', ${newId()}::uuid)
    returning id, created_by`;
  await promotions`
    insert into promotion_status_changes (promotion_id, status, changed_by, changed_at)
    values (${bonus?.id ?? ""}, 'active', ${bonus?.created_by ?? ""}, now() - interval '1 day')`;
}

/** Players as they are when their registration has gone through, without the work of it. */
export async function createPlayers({ users, promotions, secrets }: BenchSystem, count: number): Promise<Player[]> {
  const sign = await createSigner(secrets);
  const ids = Array.from({ length: count }, newId);
  await users`
    insert into users (id, email, password_hash, role, currency)
    select id, id || '@bench.example', 'none', 'player', 'EUR' from unnest(${ids}::uuid[]) id`;
  await promotions`
    insert into players (id, status_at, registered_at) select id, now(), now() from unnest(${ids}::uuid[]) id`;
  return Promise.all(ids.map(async (id) => ({ id, token: await sign(id, "player") })));
}

/**
 * @param maxClaims the cap of each, if it has one; a multiple of 16
 * @returns the ids of new promotions that are on
 */
export async function createPromotions(
  promotions: PostgresSql,
  count: number,
  maxClaims: number | null = null,
): Promise<string[]> {
  const rows = await promotions<{ id: string }[]>`
    insert into promotions (title, description, type, status, amount_minor, currency, starts_at, ends_at, created_by, max_claims)
    select 'Bench', 'Made by a bench.', 'VIP_PROMOTION', 'active', ${AMOUNT_MINOR}, 'EUR',
      now() - interval '1 day', now() + interval '30 days', ${newId()}::uuid, ${maxClaims}::bigint
    from generate_series(1, ${count}::int) returning id`;
  if (maxClaims !== null) {
    await promotions`
      insert into promotion_slots (promotion_id, slot, capacity)
      select id, slot, ${maxClaims / 16} from unnest(${rows.map(({ id }) => id)}::uuid[]) as id, generate_series(0, 15) as slot`;
  }
  return rows.map(({ id }) => id);
}

/** Assigns the promotions to the players in turn, without telling anybody. @returns the promotion of each player */
export async function assign(promotions: PostgresSql, playerIds: string[], promotionIds: string[]): Promise<string[]> {
  const chosen = playerIds.map((_, n) => promotionIds[n % promotionIds.length] as string);
  await promotions`
    insert into assignments (player_id, promotion_id)
    select * from unnest(${playerIds}::uuid[], ${chosen}::uuid[])`;
  return chosen;
}
