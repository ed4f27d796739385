import { type Db, MongoClient } from "mongodb";

/** Milliseconds. */
const SERVER_SELECTION_TIMEOUT_MS = 3_000;
const SOCKET_TIMEOUT_MS = 10_000;

/** Whether a path follows the hosts. Not `new URL`, which refuses the several hosts of a replica set. */
const NAMES_DATABASE = /^mongodb(\+srv)?:\/\/[^/]+\/[^?]/;

export interface MongoHandle {
  db: Db;
  /** Resolves when the server answers. */
  check(): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * @param url of MongoDB (or FerretDB) with the database's name in its path; "notifications" if it has none
 * @param name shown in the server's log
 * @param socketTimeoutMs after which a read or write without an answer has failed
 */
export function connectMongo(url: string, name: string, socketTimeoutMs = SOCKET_TIMEOUT_MS): MongoHandle {
  const client = new MongoClient(url, {
    appName: name,
    serverSelectionTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
    connectTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
    socketTimeoutMS: socketTimeoutMs,
    retryWrites: false,
    ignoreUndefined: true,
  });
  const db = client.db(NAMES_DATABASE.test(url) ? undefined : "notifications");
  return { db, check: () => db.command({ ping: 1 }), close: () => client.close() };
}

/**
 * @returns whether the document database could not do it now but may later. Its server errors count too: FerretDB
 * answers with an internal error while its own PostgreSQL is away, and MongoDB with "not primary" during an election.
 * What a document itself does wrong is code 2, 9, 14, 121 (bad value, parse, type, validation) or 17280/10334 (size).
 */
export function isMongoUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === "MongoServerError" || error.name === "MongoBulkWriteError") {
    return ![2, 9, 14, 121, 10334, 17280].includes(Number((error as Error & { code?: number }).code));
  }
  return /^Mongo(Network|NetworkTimeout|ServerSelection|PoolCleared|WaitQueueTimeout|TopologyClosed|NotConnected|OperationTimeout)/.test(
    error.name,
  );
}
