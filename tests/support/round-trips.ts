import { connectDatabase, type DatabaseHandle } from "../../lib/postgres.ts";
import { startFreezableProxy } from "./freezable-proxy.ts";

/** Messages of PostgreSQL's protocol after which a client waits for the server: Query, Flush, Sync. */
const ROUND_TRIPS = new Set(["Q", "H", "S"]);

/**
 * A pool of one connection of which it is known what it sends.
 *
 * @param databaseUrl of PostgreSQL
 * @returns the pool, and how often `work` waited for the server
 */
export async function connectCounted(databaseUrl: string): Promise<{
  db: DatabaseHandle["db"];
  roundTripsOf(work: () => Promise<unknown>): Promise<number>;
  close(): Promise<void>;
}> {
  const url = new URL(databaseUrl);
  let roundTrips = 0;
  const proxy = await startFreezableProxy({ host: url.hostname, port: Number(url.port) }, () =>
    readMessages((type) => {
      if (ROUND_TRIPS.has(type)) roundTrips += 1;
    }),
  );
  url.port = String(proxy.port);
  const { db, close } = connectDatabase({ url: url.href, name: "counted", connectionsMax: 1 });
  return {
    db,
    async roundTripsOf(work) {
      const before = roundTrips;
      await work();
      return roundTrips - before;
    },
    async close() {
      await close();
      proxy.close();
    },
  };
}

/** Frontend messages: one byte for the type, but for the first one, then four for the length, itself included. */
function readMessages(onMessage: (type: string) => void): (chunk: Buffer) => void {
  let waiting = Buffer.alloc(0);
  let typeBytes = 0;
  return (chunk) => {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= typeBytes + 4) {
      const length = typeBytes + waiting.readInt32BE(typeBytes);
      if (waiting.length < length) return;
      if (typeBytes > 0) onMessage(String.fromCharCode(waiting[0] as number));
      waiting = waiting.subarray(length);
      typeBytes = 1;
    }
  };
}
