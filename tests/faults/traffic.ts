import { logIn, register, type Session } from "./accounts.ts";
import { type Client, planDelivery } from "./client.ts";
import { createRandom, type Random } from "./random.ts";
import type { Offer, Staff } from "./staff.ts";

/** Players who register together; a quarter of them log in, are given promotions, and claim all that they have. */
const BATCH_PLAYERS = 40;
const CLAIMERS_SHARE = 0.25;
/** Batches after which staff end everything and begin a new season. */
const SEASON_BATCHES = 10;
/** Batches under way at once. */
const BATCHES_AT_ONCE = 4;
/** Claimers whom staff withdraw a promotion from while they claim. */
const REVOKED_SHARE = 0.2;
/** What the second of the steady promotions pays at most: fewer than there are claimers in a season. */
const MAX_CLAIMS = 40;
/** Promotions of a season that nobody pauses, the first one for verified players only, the second with a cap: with a quarter of all players claiming four, there are as many claims as players. */
const STEADY_OFFERS = 4;

/** What the clients were told, to be held against what the databases say. */
export interface Testimony {
  emails: string[];
  /** players whose identity was verified */
  verified: string[];
  assigned: { playerId: string; promotionId: string }[];
  claimed: { playerId: string; promotionId: string; transactionId: string; amountMinor: number }[];
  /** with the transaction that took it back, if it had been claimed */
  revoked: { playerId: string; promotionId: string; transactionId: string | null }[];
  /** Answers that contradict each other. */
  contradictions: string[];
}

const STEADY_RULES = [{ requiresVerification: true }, { maxClaims: MAX_CLAIMS }];

interface Season {
  bonus: Offer;
  steady: Offer[];
  /** Paused, resumed and at last ended while players claim it. */
  fickle: Offer;
}

export interface TrafficOptions {
  seed: number;
  players: number;
  client: Client;
  staff: Staff;
  /** Tells runs on the same system apart. */
  run: string;
  /** Players who are online all the time and get every promotion. */
  witnesses: readonly Session[];
  onRegistered: (count: number) => void;
  onClaimed: (count: number) => void;
}

/** Plays the whole traffic. @returns what the clients were told */
export async function playTraffic(options: TrafficOptions): Promise<Testimony> {
  const told: Testimony = { emails: [], verified: [], assigned: [], claimed: [], revoked: [], contradictions: [] };
  const batches = Math.ceil(options.players / BATCH_PLAYERS);
  let earlier: Season | undefined;
  for (let first = 0; first < batches; first += SEASON_BATCHES) {
    const number = first / SEASON_BATCHES;
    const season = await beginSeason(options, number, earlier, told);
    const queue = Array.from({ length: Math.min(SEASON_BATCHES, batches - first) }, (_, index) => first + index);
    const drain = async () => {
      for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
        await playBatch(options, batch, season, told);
      }
    };
    await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, drain));
    earlier = season;
  }
  return told;
}

async function beginSeason(
  { staff, run, seed, witnesses }: TrafficOptions,
  number: number,
  earlier: Season | undefined,
  told: Testimony,
): Promise<Season> {
  const random = createRandom(seed, "season", number);
  if (earlier === undefined) await staff.endWelcomeBonuses();
  else {
    await staff.setStatus(earlier.bonus, "ended", planDelivery(random));
    await staff.setStatus(earlier.fickle, "ended", planDelivery(random));
  }
  const create = (type: "BONUS" | "WELCOME_BONUS", what: string, rules: Parameters<Staff["create"]>[3] = {}) =>
    staff.create(type, `${what}, season ${number} of run ${run}`, random.integer(1, 5_000), rules);
  const season = {
    bonus: await create("WELCOME_BONUS", "Welcome bonus"),
    fickle: await create("BONUS", "Fickle bonus"),
    steady: await Promise.all(
      Array.from({ length: STEADY_OFFERS }, (_, index) => create("BONUS", `Bonus ${index}`, STEADY_RULES[index])),
    ),
  };
  if (earlier === undefined) await verify(staff, witnesses, random, told);
  for (const offer of [season.fickle, ...season.steady]) {
    await assign(staff, offer, witnesses, random, told);
  }
  return season;
}

async function verify(staff: Staff, players: readonly Session[], random: Random, told: Testimony) {
  const deliveries = players.map(() => planDelivery(random));
  await Promise.all(players.map(({ id }, index) => staff.verify(id, deliveries[index] ?? planDelivery(random))));
  told.verified.push(...players.map(({ id }) => id));
}

async function assign(staff: Staff, offer: Offer, players: readonly Session[], random: Random, told: Testimony) {
  const ids = players.map(({ id }) => id);
  const isActive = await staff.assign(offer, ids, planDelivery(random));
  if (isActive) told.assigned.push(...ids.map((playerId) => ({ playerId, promotionId: offer.id })));
}

async function playBatch(options: TrafficOptions, batch: number, season: Season, told: Testimony): Promise<void> {
  const { client, staff, seed, run, players } = options;
  const random = createRandom(seed, "batch", batch);
  const size = Math.min(BATCH_PLAYERS, players - batch * BATCH_PLAYERS);
  const emails = Array.from({ length: size }, (_, index) => `fault-${run}-${batch}-${index}@example.com`);
  await Promise.all(
    emails.map(async (email, index) => {
      await register(client, email, planDelivery(createRandom(seed, "register", batch, index)));
      told.emails.push(email);
      options.onRegistered(told.emails.length);
    }),
  );
  const claimers = await Promise.all(
    emails
      .slice(0, Math.ceil(size * CLAIMERS_SHARE))
      .map((email, index) =>
        logIn(client, { email, delivery: planDelivery(createRandom(seed, "login", batch, index)) }),
      ),
  );
  await verify(staff, claimers, createRandom(seed, "verify", batch), told);
  for (const offer of random.shuffle([season.fickle, ...season.steady])) {
    await assign(staff, offer, claimers, random, told);
  }
  await Promise.all([
    changeMinds(staff, season, random),
    ...claimers.map((player, index) =>
      revokeOne(options, player, season, createRandom(seed, "revoke", batch, index), told),
    ),
    ...claimers.map((player, index) => claimAll(options, player, createRandom(seed, "claims", batch, index), told)),
  ]);
}

/** Staff pause and resume while players register and claim. */
async function changeMinds(staff: Staff, season: Season, random: Random): Promise<void> {
  for (const offer of [season.fickle, season.bonus]) {
    if (random.chance(0.5)) continue;
    await staff.setStatus(offer, "paused", planDelivery(random));
    await staff.setStatus(offer, "active", planDelivery(random));
  }
}

/** From some players a promotion is withdrawn, whatever has become of it. */
async function revokeOne(
  { staff }: TrafficOptions,
  { id: playerId }: Session,
  { steady }: Season,
  random: Random,
  told: Testimony,
): Promise<void> {
  const offer = random.pick(steady);
  if (!random.chance(REVOKED_SHARE)) return;
  const transactionId = await staff.revoke(offer, playerId, planDelivery(random));
  told.revoked.push({ playerId, promotionId: offer.id, transactionId });
}

const NOT_PAID = ["promotion_not_active", "promotion_exhausted", "promotion_revoked"];

/** A player claims everything on their list, all at once. */
async function claimAll(options: TrafficOptions, player: Session, random: Random, told: Testimony): Promise<void> {
  const { client } = options;
  const [{ body }] = await client.call(`GET /promotions/api/v1/promotions/players/${player.id}?limit=100`, player);
  const offers: { promotion: Offer }[] = body.data;
  const deliveries = offers.map(() => planDelivery(random));
  await Promise.all(
    offers.map(async ({ promotion }, index) => {
      const answers = await client.call("POST /promotions/api/v1/promotions/claim", {
        ...player,
        json: { promotionId: promotion.id },
        delivery: deliveries[index] ?? planDelivery(random),
        isSettled: ({ status, body }) => status === 409 && NOT_PAID.includes(body.code),
      });
      const paid = answers.filter(({ status }) => status !== 409);
      const transactions = new Set(paid.map((answer) => answer.body.transactionId as string));
      if (transactions.size > 1) {
        told.contradictions.push(`${player.id} was paid ${promotion.id} by ${[...transactions].join(" and ")}`);
      }
      for (const transactionId of transactions) {
        told.claimed.push({
          playerId: player.id,
          promotionId: promotion.id,
          transactionId,
          amountMinor: promotion.amountMinor,
        });
      }
      if (transactions.size > 0) options.onClaimed(told.claimed.length);
    }),
  );
}
