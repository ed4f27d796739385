import { isDeepStrictEqual } from "node:util";
import type { SessionClient } from "../../domain/users/sessions/store.ts";
import type { Random } from "../faults/random.ts";

/** Who may hold a session's token: its owner, and a thief who copied it. */
export type Party = "owner" | "thief";

export const CLIENTS: Record<Party, SessionClient> = {
  owner: { userAgent: "Browser/1.0", address: "203.0.113.7" },
  thief: { userAgent: "Browser/1.0", address: "198.51.100.9" },
};

/** What became of a call: "refused" is a 401: the session has ended; "unavailable" a 503, after which nobody knows. */
export type Outcome = { refreshToken: string } | "refused" | "unavailable";

/** The successes of one generation's token in one step of the run. */
interface Success {
  party: Party;
  generation: number;
  step: number;
  /** Milliseconds that were let pass until then. */
  at: number;
  /** Whether a failover has lost what it wrote, or may have. */
  isLost: boolean;
}

/** Milliseconds within which a second holder is taken for a second tab; times here are multiples of more than that. */
const GRACE_MS = 5_000;
const ASK_AGAIN_MS = 30_000;

/**
 * What one session goes through, and whether it may. It knows the promises of ADR 0006, not the code: of each answer it says what is
 * wrong with it.
 */
export class Life {
  readonly violations: string[] = [];
  /** What each party holds. */
  readonly held: Partial<Record<Party, string>>;
  /** Answers that the owner did not get: they ask again with what they have. */
  isUnanswered = false;
  isLoggingOut = false;
  /** Told that the session has ended: from then on nobody gets in. */
  private endedIn: number | undefined;
  private readonly generations = new Map<string, number>();
  private readonly successors = new Map<string, string>();
  private readonly successes: Success[] = [];
  private clockMs = 0;
  private lastRotationMs = 0;
  private wasStolen = false;

  constructor(firstToken: string) {
    this.held = { owner: firstToken };
    this.generations.set(firstToken, 0);
  }

  get isEnded(): boolean {
    return this.endedIn !== undefined;
  }

  get thiefCame(): boolean {
    return this.wasStolen;
  }

  /** @returns milliseconds to let pass now: none, more than the grace, or more than anybody may ask again in */
  passTime(random: Random): number {
    const canWait = !this.isUnanswered || this.clockMs - this.lastRotationMs + 8_000 <= 25_000;
    const passes = random.pick(this.isUnanswered ? [0, canWait ? 8_000 : 0] : [0, 0, 8_000, 40_000]);
    this.clockMs += passes;
    return passes;
  }

  /** @returns more than any tolerance */
  passLongTime(): number {
    this.clockMs += 40_000;
    return 40_000;
  }

  steal(): void {
    this.wasStolen = true;
    if (this.held.owner !== undefined) this.held.thief = this.held.owner;
  }

  loggedOut(step: number): void {
    this.endedIn ??= step;
  }

  /** Takes what callers who presented one token at once were answered. */
  answered(
    step: number,
    party: Party,
    presented: string,
    outcomes: readonly Outcome[],
    reach: { isLost: boolean },
  ): void {
    const tokens = outcomes.filter((outcome) => typeof outcome === "object").map(({ refreshToken }) => refreshToken);
    for (const token of tokens) this.checkFork(presented, token);
    if (tokens.length > 0) this.checkSuccess({ step, party, presented, isLost: reach.isLost });
    const isRefused = outcomes.includes("refused");
    if (isRefused && !this.wasStolen && !this.isLoggingOut) this.report(step, `${party} was thrown out`);
    if (isRefused) this.endedIn ??= step;
    if (party === "owner") this.isUnanswered = tokens.length === 0 && !isRefused;
    if (isRefused) delete this.held[party];
    else if (tokens[0] !== undefined) this.held[party] = tokens[0];
  }

  /** The owner hears nothing of what was answered. */
  answerWasLost(presented: string): void {
    this.isUnanswered = true;
    this.held.owner = presented;
  }

  /** Another server has taken over: what was written since `step` is lost. */
  failedOver(step: number): void {
    for (const success of this.successes) if (success.step >= step) success.isLost = true;
  }

  private checkFork(presented: string, token: string): void {
    const known = this.successors.get(presented);
    if (known !== undefined && known !== token) this.violations.push("a token got a second successor");
    this.successors.set(presented, token);
    this.generations.set(token, this.generationOf(presented) + 1);
  }

  private checkSuccess(answer: { step: number; party: Party; presented: string; isLost: boolean }): void {
    const { step, party, presented, isLost } = answer;
    const generation = this.generationOf(presented);
    const before = this.successes.filter((success) => success.step < step && !success.isLost);
    if (this.endedIn !== undefined && this.endedIn < step)
      this.report(step, `${party} got into a session that had ended`);
    if (before.some((success) => success.generation > generation)) {
      this.report(step, `${party} used generation ${generation} after a later one was used`);
    }
    const rotations = before.filter((success) => success.generation === generation);
    const first = rotations[0];
    if (first !== undefined) {
      const sameStep = rotations.filter((success) => success.step === first.step);
      const rotators = new Set(sameStep.map((success) => success.party));
      const allowedMs = rotators.has(party) ? ASK_AGAIN_MS : GRACE_MS;
      if (this.clockMs - first.at > allowedMs) {
        this.report(step, `${party} used generation ${generation} ${this.clockMs - first.at} ms after it was replaced`);
      }
    } else {
      this.lastRotationMs = this.clockMs;
    }
    const success = { party, generation, step, at: this.clockMs, isLost };
    if (!this.successes.some((known) => isDeepStrictEqual(known, success))) this.successes.push(success);
  }

  private generationOf(token: string): number {
    const generation = this.generations.get(token);
    if (generation === undefined) throw new Error("a token that nobody was given");
    return generation;
  }

  private report(step: number, what: string): void {
    const history = this.successes.map(
      ({ party, generation, step: at, isLost }) => `${at}:${party[0]}${generation}${isLost ? "~" : ""}`,
    );
    this.violations.push(`step ${step}: ${what} (${history.join(" ")})`);
  }
}
