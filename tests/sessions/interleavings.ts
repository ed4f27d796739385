import { setTimeout as delay } from "node:timers/promises";
import { insertUser } from "../../domain/users/accounts/insert-user.ts";
import type { UsersContext } from "../../domain/users/context.ts";
import { logOut } from "../../domain/users/sessions/log-out.ts";
import { refreshSession } from "../../domain/users/sessions/refresh-session.ts";
import { firstRefreshToken } from "../../domain/users/sessions/refresh-token.ts";
import { storeSession } from "../../domain/users/sessions/store.ts";
import { AppError } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { type Database, isPostgresUnavailable } from "../../lib/postgres.ts";
import { createLogger } from "../../lib/telemetry/log.ts";
import { createRandom, type Random } from "../faults/random.ts";
import { CLIENTS, Life, type Outcome, type Party } from "./life.ts";
import { startUsersReplicas, type UsersReplicas } from "./users-replicas.ts";

/** Sessions that go through their steps side by side, at most; one failover hits them all, and there are to be some failovers. */
const SIDE_BY_SIDE_MAX = 250;
const WAVES_MIN = 4;
const STEPS = 6;
const REPLICAS_OF_USERS = 3;
/** Steps whose writes a failover loses: fewer than Redis can be brought forward by. */
const LOST_STEPS_MAX = 2;
const REFRESH_TOKEN_KEY = "0123456789abcdef0123456789abcdef";

export interface InterleavingsOutcome {
  sessions: number;
  failovers: number;
  refreshes: number;
  /** Refreshes that came at once at most. */
  atOnceMax: number;
  /** How many sessions a thief was in, and how many of these ended by it. */
  stolen: number;
  found: number;
  logouts: number;
  violations: string[];
}

/**
 * Sends sessions through random lives: their owner's tabs refresh at once, answers get lost and are asked for again, thieves copy
 * tokens and use them, owners log out, and a failover loses what was written last. The real verbs do it, in replicas of Users with
 * connections of their own, on two real Redis servers.
 *
 * @param options.db Users' database
 * @param options.sessions how many lives
 * @returns what there was, and every promise that was broken
 */
export async function runInterleavings(
  options: { db: Database; seed: number; sessions: number },
  onProgress: (outcome: InterleavingsOutcome) => void = () => {},
): Promise<InterleavingsOutcome> {
  const log = createLogger({ name: "interleavings", instance: "test", level: "silent" });
  const shared = {
    db: options.db,
    log,
    requireVerifiedEmail: false,
    currency: "EUR",
    refreshTokenKey: REFRESH_TOKEN_KEY,
    linkKey: REFRESH_TOKEN_KEY,
  };
  const outcome: InterleavingsOutcome = {
    sessions: 0,
    failovers: 0,
    refreshes: 0,
    atOnceMax: 0,
    stolen: 0,
    found: 0,
    logouts: 0,
    violations: [],
  };
  const sideBySide = Math.min(SIDE_BY_SIDE_MAX, Math.ceil(options.sessions / WAVES_MIN));
  const replicas = await startUsersReplicas(shared, REPLICAS_OF_USERS, log);
  try {
    const owners = await Promise.all(Array.from({ length: sideBySide }, () => createOwner(options.db)));
    for (let wave = 0; outcome.sessions < options.sessions; wave++) {
      await runWave(replicas, owners, createRandom(options.seed, "wave", wave), outcome);
      onProgress(outcome);
    }
  } finally {
    await replicas.stop();
  }
  return outcome;
}

const createOwner = (db: Database) =>
  insertUser(db, { email: `${newId()}@example.com`, passwordHash: "none", role: "player", currency: "EUR" });

type Owner = Awaited<ReturnType<typeof createOwner>>;

async function runWave(replicas: UsersReplicas, owners: Owner[], random: Random, outcome: InterleavingsOutcome) {
  const [firstContext] = replicas.contexts as [UsersContext];
  const runs = await Promise.all(
    owners.map(async (owner, index) => {
      const token = firstRefreshToken(REFRESH_TOKEN_KEY);
      await storeSession(firstContext, token, owner, CLIENTS.owner);
      return new Run(replicas, token, createRandom(random.integer(0, 2 ** 31), index), outcome);
    }),
  );
  const cutBefore = random.integer(1, STEPS - LOST_STEPS_MAX - 1);
  const takesOverIn = random.chance(0.8) ? cutBefore + random.integer(1, LOST_STEPS_MAX) : undefined;
  let rejoined: Promise<void> | undefined;
  for (let step = 0; step < STEPS; step++) {
    if (takesOverIn !== undefined && step === cutBefore) await replicas.cutReplication();
    const isLost = takesOverIn !== undefined && step >= cutBefore && step <= takesOverIn;
    await Promise.all(runs.map((run) => run.passTime()));
    const steps = Promise.all(runs.map((run) => run.takeStep(step, isLost)));
    if (step === takesOverIn) {
      const pauseMs = () => delay(random.integer(0, 20));
      await replicas.takeOver({ isAbrupt: random.chance(0.5), pauseMs });
      outcome.failovers += 1;
    }
    await steps;
    if (step === takesOverIn) {
      for (const { life } of runs) life.failedOver(cutBefore);
      rejoined = replicas.rejoin();
    }
  }
  await rejoined;
  await Promise.all(runs.map((run) => run.end(STEPS)));
  for (const { life } of runs) {
    outcome.sessions += 1;
    if (life.thiefCame) outcome.stolen += 1;
    if (life.thiefCame && life.isEnded) outcome.found += 1;
    outcome.violations.push(...life.violations);
  }
}

/** One session on its way. */
class Run {
  readonly life: Life;
  private readonly replicas: UsersReplicas;
  private readonly sessionId: string;
  private readonly random: Random;
  private readonly outcome: InterleavingsOutcome;

  constructor(
    replicas: UsersReplicas,
    token: { sessionId: string; text: string },
    random: Random,
    outcome: InterleavingsOutcome,
  ) {
    this.life = new Life(token.text);
    this.replicas = replicas;
    this.sessionId = token.sessionId;
    this.random = random;
    this.outcome = outcome;
  }

  async passTime(): Promise<void> {
    const ms = this.life.passTime(this.random);
    if (ms > 0) await this.replicas.passTime(this.sessionId, ms);
  }

  async takeStep(step: number, isLost: boolean): Promise<void> {
    const { life, random } = this;
    if (random.chance(0.08)) life.steal();
    const [ownerActs, thiefActs, losesAnswer] = [random.chance(0.75), random.chance(0.4), random.chance(0.2)];
    const [ownersAtOnce, thievesAtOnce] = [callersAtOnce(random), random.integer(1, 3)];
    const logsOut = life.isLoggingOut || random.chance(0.03);
    await Promise.all([
      (async () => {
        const presented = life.held.owner;
        if (presented === undefined) return;
        if (logsOut) return this.logOut(step, presented);
        if (!ownerActs) return;
        await this.refresh(step, "owner", ownersAtOnce, isLost);
        if (losesAnswer && life.held.owner !== undefined) life.answerWasLost(presented);
      })(),
      thiefActs && this.refresh(step, "thief", thievesAtOnce, isLost),
    ]);
  }

  /**
   * Nothing is lost any more, and every tolerance has passed between two steps. If a thief was there, the one who comes
   * second is found, and then nobody gets in.
   */
  async end(step: number): Promise<void> {
    const { life } = this;
    const present = async (at: number, party: Party) => {
      await this.replicas.passTime(this.sessionId, life.passLongTime());
      await this.refresh(at, party, 1, false);
    };
    const before = { ...life.held };
    if (life.isLoggingOut && before.owner !== undefined) await this.logOut(step, before.owner);
    // Who still waits for an answer has waited in vain for longer than they may.
    if (life.isUnanswered && !life.thiefCame) await this.refresh(step, "owner", 1, false);
    await present(step + 1, "owner");
    await present(step + 2, "thief");
    await present(step + 3, "owner");
    const isOpen = life.held.owner !== undefined;
    if (life.thiefCame && isOpen) life.violations.push("a thief was not found by the next refresh of the other holder");
    if (!life.thiefCame && !life.isLoggingOut && !isOpen) life.violations.push("the owner of a session was thrown out");
    if (life.isLoggingOut && isOpen) life.violations.push("a session that its owner ended is open");
  }

  private async refresh(step: number, party: Party, atOnce: number, isLost: boolean): Promise<void> {
    const { life, random, outcome } = this;
    const presented = life.held[party];
    if (presented === undefined) return;
    const contexts = Array.from({ length: atOnce }, () => random.pick(this.replicas.contexts));
    const outcomes = await Promise.all(contexts.map((ctx) => refreshBy(ctx, presented, party)));
    outcome.refreshes += atOnce;
    outcome.atOnceMax = Math.max(outcome.atOnceMax, atOnce);
    life.answered(step, party, presented, outcomes, { isLost });
  }

  private async logOut(step: number, presented: string): Promise<void> {
    this.life.isLoggingOut = true;
    try {
      await logOut(this.random.pick(this.replicas.contexts), { refreshToken: presented });
    } catch (error) {
      if (isUnavailable(error)) return;
      throw error;
    }
    this.life.loggedOut(step);
    this.outcome.logouts += 1;
  }
}

/** Mostly one or a few tabs, now and then fifty. */
function callersAtOnce(random: Random): number {
  const share = random.next();
  if (share < 0.5) return 1;
  if (share < 0.9) return random.integer(2, 5);
  return share < 0.99 ? random.integer(6, 20) : random.integer(21, 50);
}

async function refreshBy(ctx: UsersContext, refreshToken: string, party: Party): Promise<Outcome> {
  try {
    return { refreshToken: (await refreshSession(ctx, { refreshToken, client: CLIENTS[party] })).refreshToken };
  } catch (error) {
    // With many at once on a slow machine the database may be what nobody gets at.
    if (isUnavailable(error) || isPostgresUnavailable(error)) return "unavailable";
    if (error instanceof AppError && error.kind === "unauthenticated") return "refused";
    throw error;
  }
}

const isUnavailable = (error: unknown) => error instanceof AppError && error.code === "sessions_unavailable";
