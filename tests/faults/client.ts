import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "../../lib/backoff.ts";
import type { Random } from "./random.ts";

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what comes back is checked against the database, not against types
  body: any;
}

/** How one request is sent, decided by the seed ahead of sending it. */
export interface Delivery {
  /** Milliseconds after which each copy's connection is cut; undefined for a copy that waits for its answer. */
  copies: readonly (number | undefined)[];
}

/** The numbers of copies above one, each as likely; most requests are sent once, since a hash of a password is dear. */
const COPIES = [2, 2, 3, 4, 5];
const COPIED_SHARE = 0.2;
const CUT_SHARE = 0.1;
const CUT_AFTER_MS = { min: 1, max: 40 };

/** Every request is sent one to five times at once, some with the connection cut before the answer. */
export function planDelivery(random: Random): Delivery {
  const copies = Array.from({ length: random.chance(COPIED_SHARE) ? random.pick(COPIES) : 1 }, () =>
    random.chance(CUT_SHARE) ? random.integer(CUT_AFTER_MS.min, CUT_AFTER_MS.max) : undefined,
  );
  return { copies };
}

export const ONCE: Delivery = { copies: [undefined] };

/** Deadline of one attempt; nginx gives up before. */
const ATTEMPT_DEADLINE_MS = 20_000;
/** A client that still has no answer after this long is one that the system has lost. */
const PATIENCE_MS = 180_000;
const BACKOFF = { baseMs: 100, maxMs: 2_000 };

/** A repetition would get the same; seen here, it is a defect of this client or of the system. */
const HOPELESS = new Set([400, 403, 405, 413, 415, 422, 500]);

export interface Counts {
  sent: number;
  cut: number;
  unanswered: number;
  retried: number;
  byStatus: Map<number, number>;
}

/** A patient client: repeats a request, as its delivery says and again later, until an answer settles it. */
export class Client {
  readonly counts: Counts = { sent: 0, cut: 0, unanswered: 0, retried: 0, byStatus: new Map() };
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * @param route such as "POST /users/api/v1/auth/login"
   * @param options.isSettled which answers end it, besides 2xx; a 5xx, 429 or no answer at all never does
   * @returns every answer that settled it, at least one; copies may have got different ones
   * @throws Error when nothing has settled it after PATIENCE_MS
   */
  async call(
    route: string,
    options: {
      token?: () => string;
      json?: unknown;
      delivery?: Delivery;
      isSettled?: (answer: Answer) => boolean;
      /** Which 2xx answers are the one that is waited for; all, by default. */
      isAnswered?: (answer: Answer) => boolean;
      /** Called before a repetition, with what the last attempt got. */
      onRetry?: (answers: Answer[]) => Promise<void>;
    } = {},
  ): Promise<[Answer, ...Answer[]]> {
    const { delivery = ONCE, isSettled = () => false, isAnswered = () => true } = options;
    const deadline = Date.now() + PATIENCE_MS;
    for (let attempt = 0; ; attempt++) {
      const copies = attempt === 0 ? delivery.copies : ONCE.copies;
      const answers = (await Promise.all(copies.map((cutMs) => this.#send(route, options, cutMs)))).filter(
        (answer) => answer !== undefined,
      );
      const [first, ...others] = answers.filter(
        (answer) => (answer.status >= 200 && answer.status < 300 && isAnswered(answer)) || isSettled(answer),
      );
      if (first !== undefined) return [first, ...others];
      const refusal = answers.find(({ status }) => HOPELESS.has(status));
      if (refusal !== undefined) throw new Error(`${route}: ${refusal.status} ${JSON.stringify(refusal.body)}`);
      if (Date.now() > deadline) {
        const last = answers.at(-1);
        throw new Error(`${route}: no settling answer within ${PATIENCE_MS / 1000} s, last ${JSON.stringify(last)}`);
      }
      this.counts.retried += 1;
      await options.onRetry?.(answers);
      await delay(backoffMs(attempt, BACKOFF));
    }
  }

  async #send(
    route: string,
    { token, json }: { token?: () => string; json?: unknown },
    cutMs: number | undefined,
  ): Promise<Answer | undefined> {
    const [method = "GET", path = "/"] = route.split(" ");
    this.counts.sent += 1;
    try {
      const response = await fetch(this.#url + path, {
        method,
        headers: {
          ...(json === undefined ? {} : { "content-type": "application/json" }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token()}` }),
        },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
        signal: AbortSignal.timeout(cutMs ?? ATTEMPT_DEADLINE_MS),
      });
      const text = await response.text();
      const isJson = response.headers.get("content-type")?.includes("json");
      this.counts.byStatus.set(response.status, (this.counts.byStatus.get(response.status) ?? 0) + 1);
      return { status: response.status, body: isJson && text !== "" ? JSON.parse(text) : text };
    } catch {
      // Cut by us, cut by a fault, or too late: nobody knows what became of the request, which is the point.
      if (cutMs === undefined) this.counts.unanswered += 1;
      else this.counts.cut += 1;
      return undefined;
    }
  }
}
