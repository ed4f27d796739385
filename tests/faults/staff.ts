import type { Session } from "./accounts.ts";
import { type Client, type Delivery, ONCE } from "./client.ts";

const DAY_MS = 86_400_000;

export interface Offer {
  id: string;
  amountMinor: number;
}

/** What a member of staff does, with a client that may have to repeat it. */
export class Staff {
  readonly #client: Client;
  readonly #session: Session;

  constructor(client: Client, session: Session) {
    this.#client = client;
    this.#session = session;
  }

  /** @param title no other promotion may have it: after a lost answer it tells whether the promotion was created */
  async create(
    type: "BONUS" | "WELCOME_BONUS",
    title: string,
    amountMinor: number,
    rules: { requiresVerification?: boolean; maxClaims?: number } = {},
  ): Promise<Offer> {
    const [{ status, body }] = await this.#client.call("POST /promotions/api/v1/promotions", {
      ...this.#session,
      json: {
        title,
        description: "Made by a fault run.",
        type,
        amountMinor,
        currency: "EUR",
        startsAt: new Date(Date.now() - DAY_MS).toISOString(),
        endsAt: new Date(Date.now() + DAY_MS).toISOString(),
        ...rules,
        status: "active",
      },
      isSettled: (answer) => answer.status === 409 && answer.body.code === "welcome_bonus_overlap",
    });
    if (status === 201) return body;
    const [found] = await this.#client.call(
      `GET /promotions/api/v1/promotions?q=${encodeURIComponent(title)}`,
      this.#session,
    );
    const own = found.body.data.find((promotion: { title: string }) => promotion.title === title);
    if (own !== undefined) return own;
    // A copy of an earlier creation, held up in a frozen replica, came after its bonus had been ended.
    await this.endWelcomeBonuses();
    return this.create(type, title, amountMinor, rules);
  }

  /** The same status again changes nothing, so a repetition is no step that is forbidden. */
  async setStatus({ id }: Pick<Offer, "id">, status: "active" | "paused" | "ended", delivery = ONCE): Promise<void> {
    await this.#client.call(`PATCH /promotions/api/v1/promotions/${id}`, {
      ...this.#session,
      json: { status },
      delivery,
    });
  }

  async endWelcomeBonuses(): Promise<void> {
    for (const status of ["draft", "active", "paused"]) {
      const [{ body }] = await this.#client.call(
        `GET /promotions/api/v1/promotions?type=WELCOME_BONUS&status=${status}&limit=100`,
        this.#session,
      );
      for (const bonus of body.data) await this.setStatus(bonus, "ended");
    }
  }

  async verify(playerId: string, delivery: Delivery): Promise<void> {
    await this.#client.call(`PATCH /users/api/v1/users/${playerId}/verification`, {
      ...this.#session,
      json: { verified: true, method: "Identity card", reason: "Made by a fault run." },
      delivery,
    });
  }

  /** Assigns, again until Promotions has heard of every player and of their verification. @returns false if the promotion is not active */
  async assign({ id }: Offer, playerIds: string[], delivery: Delivery): Promise<boolean> {
    const knows = (body: { rejected: { code: string }[] }) =>
      body.rejected.every(({ code }) => code !== "player_not_found" && code !== "player_not_verified");
    const [answer] = await this.#client.call(`POST /promotions/api/v1/promotions/${id}/assign`, {
      ...this.#session,
      json: { playerIds },
      delivery,
      isAnswered: ({ status, body }) => status === 200 && knows(body),
      isSettled: ({ status, body }) => status === 409 && body.code === "promotion_not_active",
    });
    return answer.status === 200;
  }

  /** @returns the transaction that took back what was claimed; null if nothing had been */
  async revoke({ id }: Offer, playerId: string, delivery: Delivery): Promise<string | null> {
    const answers = await this.#client.call(`POST /promotions/api/v1/promotions/${id}/assignments/${playerId}/revoke`, {
      ...this.#session,
      json: { reason: "Made by a fault run." },
      delivery,
      // While Users can't say how the player's claim ended.
      isAnswered: ({ status }) => status === 200,
    });
    return answers[0].body.reversal?.transactionId ?? null;
  }
}
