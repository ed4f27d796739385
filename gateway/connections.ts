import type { Connection } from "./connection.ts";

/** The open connections of one edge, by player. */
export class Connections {
  readonly #byPlayer = new Map<string, Set<Connection>>();

  add(connection: Connection): void {
    const ofPlayer = this.#byPlayer.get(connection.playerId);
    if (ofPlayer === undefined) this.#byPlayer.set(connection.playerId, new Set([connection]));
    else ofPlayer.add(connection);
  }

  /** @returns whether it was the player's last one */
  remove(connection: Connection): boolean {
    const ofPlayer = this.#byPlayer.get(connection.playerId);
    ofPlayer?.delete(connection);
    if (ofPlayer === undefined || ofPlayer.size > 0) return false;
    this.#byPlayer.delete(connection.playerId);
    return true;
  }

  /** @returns a player's connections; a copy, so that they can be ended while it is read */
  of(playerId: string): Connection[] {
    return [...(this.#byPlayer.get(playerId) ?? [])];
  }

  countOf(playerId: string): number {
    return this.#byPlayer.get(playerId)?.size ?? 0;
  }

  players(): string[] {
    return [...this.#byPlayer.keys()];
  }

  /** @returns all of them; a copy */
  all(): Connection[] {
    return [...this.#byPlayer.values()].flatMap((ofPlayer) => [...ofPlayer]);
  }
}
