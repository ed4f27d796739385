interface Account {
  tokens: number;
  /** When it was looked at last, in milliseconds. */
  at: number;
}

/** Accounts beyond which those that are full again are forgotten. */
const ACCOUNTS_MAX = 10_000;

/** A token bucket for each key: so many at once, and so many a second over time. */
export class Budget {
  readonly #accounts = new Map<string, Account>();
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #now: () => number;

  /** @param options.now a clock in milliseconds */
  constructor({ burst, perSecond, now = () => performance.now() }: BudgetOptions) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#now = now;
  }

  /** @returns whether there was one token left for this key, which is taken */
  take(key: string): boolean {
    const account = this.#refilled(key);
    if (account.tokens < 1) return false;
    account.tokens -= 1;
    return true;
  }

  #refilled(key: string): Account {
    const now = this.#now();
    const account = this.#accounts.get(key);
    if (account === undefined) {
      if (this.#accounts.size >= ACCOUNTS_MAX) this.#forgetFull(now);
      const opened = { tokens: this.#burst, at: now };
      this.#accounts.set(key, opened);
      return opened;
    }
    account.tokens = this.#tokensAt(account, now);
    account.at = now;
    return account;
  }

  #forgetFull(now: number): void {
    for (const [key, account] of this.#accounts) {
      if (this.#tokensAt(account, now) >= this.#burst) this.#accounts.delete(key);
    }
  }

  #tokensAt({ tokens, at }: Account, now: number): number {
    return Math.min(this.#burst, tokens + ((now - at) / 1_000) * this.#perSecond);
  }
}

export interface BudgetOptions {
  burst: number;
  perSecond: number;
  now?: () => number;
}
