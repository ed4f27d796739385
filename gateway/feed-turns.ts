import { Pulse } from "../lib/pulse.ts";

/** The loop of one feed, as it tells of itself. */
export interface FeedTurn {
  turn(): void;
  end(): void;
}

const EDGE = "every feed";

/**
 * Tells a feed that stands still, whose socket is to be ended, from an edge of whose feeds none turns, which is to be
 * started anew. A feed that waits for the database, for its reader or for news turns.
 */
export class FeedTurns<Feed> {
  readonly #edge: Pulse;
  readonly #each: Pulse;
  readonly #feeds = new Map<string, Feed>();
  #begun = 0;

  /**
   * @param turnMsMax the longest that a feed may take for a turn, in milliseconds. One counts as standing still after
   * twice that, so that an edge where none turns is found first.
   */
  constructor(turnMsMax: number, now?: () => number) {
    this.#edge = new Pulse({ silenceMaxMs: turnMsMax, now });
    this.#each = new Pulse({ silenceMaxMs: 2 * turnMsMax, now });
  }

  begin(feed: Feed): FeedTurn {
    const strand = String(this.#begun++);
    this.#feeds.set(strand, feed);
    const turn = () => {
      if (!this.#feeds.has(strand)) return;
      this.#each.turn(strand);
      this.#edge.turn(EDGE);
    };
    turn();
    return { turn, end: () => this.#forget(strand) };
  }

  /** @throws Error when there are feeds and none turns */
  check(): void {
    this.#edge.check();
  }

  /** @returns the feeds that stand still while others turn, each once: they may never end by themselves, so they are forgotten */
  takeStanding(): Feed[] {
    return this.#each.silent().map((strand) => {
      const feed = this.#feeds.get(strand) as Feed;
      this.#forget(strand);
      return feed;
    });
  }

  #forget(strand: string): void {
    this.#feeds.delete(strand);
    this.#each.end(strand);
    if (this.#feeds.size === 0) this.#edge.end(EDGE);
  }
}
