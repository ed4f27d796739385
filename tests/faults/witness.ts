import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import type { Session } from "./accounts.ts";
import type { Client } from "./client.ts";

const RECONNECT_MS = 200;
const UNAUTHENTICATED = 4401;

/** A player whose client stays online: it reconnects and resumes with its cursor, whatever ends the connection. */
export class Witness {
  readonly received: string[] = [];
  /** How often a connection was opened. */
  connections = 0;
  readonly session: Session;
  readonly #url: URL;
  #cursor: string | undefined;
  #socket: WebSocket | undefined;
  #isOver = false;
  readonly #life: Promise<void>;

  constructor(url: string, session: Session) {
    this.session = session;
    this.#url = new URL("/notifications/ws", url);
    this.#url.protocol = "ws:";
    this.#life = this.#live();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#socket?.terminate();
    await this.#life;
  }

  /** @returns the ids of all stored notifications, the oldest first, as the HTTP list gives them */
  async stored(client: Client): Promise<string[]> {
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const [{ body }] = await client.call(`GET /notifications/api/v1/notifications?limit=100${query}`, this.session);
      ids.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.nextCursor;
    } while (cursor !== null);
    return ids.reverse();
  }

  async #live(): Promise<void> {
    while (!this.#isOver) {
      const ended = await this.#connect();
      if (this.#isOver) return;
      if (ended === "unauthenticated") await this.session.renew().catch(() => {});
      await delay(RECONNECT_MS);
    }
  }

  async #connect(): Promise<"unauthenticated" | "ended"> {
    const url = new URL(this.#url);
    if (this.#cursor !== undefined) url.searchParams.set("cursor", this.#cursor);
    const socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${this.session.token()}` },
      handshakeTimeout: 5_000,
    });
    this.#socket = socket;
    socket.on("open", () => {
      this.connections += 1;
    });
    socket.on("message", (data) => {
      const frame = JSON.parse(data.toString());
      if (frame.cursor) this.#cursor = frame.cursor;
      if (frame.type === "notification") this.received.push(frame.id);
    });
    return new Promise((resolve) => {
      socket.on("unexpected-response", (_request, response) => {
        response.resume();
        socket.terminate();
        resolve(response.statusCode === 401 ? "unauthenticated" : "ended");
      });
      socket.on("error", () => resolve("ended"));
      socket.on("close", (code) => resolve(code === UNAUTHENTICATED ? "unauthenticated" : "ended"));
    });
  }
}
