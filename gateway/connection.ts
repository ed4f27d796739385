import type uWS from "uWebSockets.js";
import type { Principal } from "../lib/auth/principal.ts";
import type { Refusal } from "./authenticate.ts";
import { Bell } from "./bell.ts";
import { type CloseReason, toCloseCode } from "./close-codes.ts";

export interface ConnectionBounds {
  /** A connection with more unsent bytes than this is closed with 4408. */
  bufferedBytesMax: number;
  /** So is one that has not taken what is buffered after this many milliseconds. */
  slowReaderMs: number;
}

type Socket = Pick<uWS.WebSocket<unknown>, "send" | "end" | "getBufferedAmount">;

/** What `send` of uWebSockets.js returns. */
const SENT = 1;
const BUFFERED = 0;

/** Node.js fires longer timers at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A player's open socket: who it is, until when, and what it can take. */
export class Connection {
  readonly playerId: string;
  /** Rings when there may be news for this player, and when the connection has ended. */
  readonly bell = new Bell();
  readonly #socket: Socket;
  readonly #bounds: ConnectionBounds;
  readonly #ended = new AbortController();
  readonly #startedAt = performance.now();
  #principal: Principal;
  #expiryTimer: NodeJS.Timeout | undefined;
  /** Set while the socket has unsent bytes. */
  #draining: { done: Promise<void>; finish: () => void } | undefined;
  #endReason: CloseReason | undefined;
  /** Who the token of an `auth` frame belongs to that ended the connection. */
  #presented: Pick<Refusal, "principalId" | "sessionId"> | undefined;
  #sent = 0;

  constructor(socket: Socket, principal: Principal, bounds: ConnectionBounds) {
    this.#socket = socket;
    this.#bounds = bounds;
    this.playerId = principal.id;
    this.#principal = principal;
    this.authorize(principal);
  }

  /** Aborts when the connection has ended, from whichever side. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Takes over the session and the expiry of a token, at the start and from an `auth` frame. */
  authorize(principal: Principal): void {
    if (this.signal.aborted) return;
    if (principal.id !== this.playerId) {
      this.end("unauthenticated", { principalId: principal.id, sessionId: principal.sessionId });
      return;
    }
    this.#principal = principal;
    clearTimeout(this.#expiryTimer);
    const remainingMs = Math.min(principal.expiresAt * 1000 - Date.now(), TIMER_MS_MAX);
    this.#expiryTimer = setTimeout(() => this.end("token_expired"), remainingMs);
  }

  /** Ends the connection if its session has ended. */
  endIfRevoked(hasEnded: (principal: Principal) => boolean): void {
    if (hasEnded(this.#principal)) this.end("session_revoked");
  }

  /**
   * Writes a frame. Resolves when the socket can take the next one, which is at once unless the reader is slow; also
   * when the connection has ended.
   */
  async send(frame: string): Promise<void> {
    if (this.signal.aborted) return;
    if (this.#socket.getBufferedAmount() > this.#bounds.bufferedBytesMax) return this.end("too_slow");
    const outcome = this.#socket.send(frame);
    if (outcome === SENT) return;
    if (outcome !== BUFFERED) return this.end("too_slow"); // dropped: what follows would leave a gap
    this.#draining ??= this.#startDraining();
    await this.#draining.done;
  }

  /** As `send`, and counted. */
  async sendNotification(frame: string): Promise<void> {
    await this.send(frame);
    if (!this.signal.aborted) this.#sent += 1;
  }

  #startDraining() {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => this.end("too_slow"), this.#bounds.slowReaderMs);
    return {
      done: promise,
      finish: () => {
        clearTimeout(timer);
        this.#draining = undefined;
        resolve();
      },
    };
  }

  /** To be called when the socket has sent some of what it had buffered. */
  onDrain(): void {
    if (this.#socket.getBufferedAmount() > 0) return;
    // Not at once: when a write in its drain handler fails, uWebSockets.js never calls that handler again.
    setImmediate(() => this.#draining?.finish());
  }

  /**
   * Closes the socket with the code of this reason.
   *
   * @param presented whose token it was, when one that the client sent is the reason
   */
  end(reason: CloseReason, presented?: Pick<Refusal, "principalId" | "sessionId">): void {
    if (this.signal.aborted) return;
    this.#endReason ??= reason;
    this.#presented ??= presented;
    // Calls the close handler, and so `onClosed`, before it returns.
    this.#socket.end(toCloseCode(reason), reason);
  }

  /**
   * To be called when the socket is closed; it must not be touched any more.
   *
   * @returns what the connection's log line says
   */
  onClosed(code: number): Record<string, unknown> & { reason: string } {
    this.#ended.abort();
    clearTimeout(this.#expiryTimer);
    this.#draining?.finish();
    this.bell.ring();
    return {
      playerId: this.playerId,
      sessionId: this.#principal.sessionId,
      presented: this.#presented,
      sent: this.#sent,
      code: this.#endReason === undefined ? code : toCloseCode(this.#endReason),
      reason: this.#endReason ?? "client",
      durationMs: Math.round(performance.now() - this.#startedAt),
    };
  }
}
