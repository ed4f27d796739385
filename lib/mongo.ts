import { TaskCancelledError, TimeoutStrategy, timeout } from "cockatiel";
import { type Db, MongoClient, MongoTopologyClosedError } from "mongodb";
import { CircuitOpenError, createCircuitBreaker, type OnCircuitChange } from "./circuit-breaker.ts";

/**
 * Milliseconds. The first is the deadline of a whole operation: finding a server and a connection, and the retry of a
 * read. The driver itself has none for the whole: its `timeoutMS` does nothing in this version.
 */
const OPERATION_TIMEOUT_MS = 6_000;
const SERVER_SELECTION_TIMEOUT_MS = 3_000;

/** Whether a path follows the hosts. Not `new URL`, which refuses the several hosts of a replica set. */
const NAMES_DATABASE = /^mongodb(\+srv)?:\/\/[^/]+\/[^?]/;

export interface MongoHandle {
  db: Db;
  /**
   * Runs a query, for OPERATION_TIMEOUT_MS at most, and not at all while the server has stopped answering. What was cut
   * off may still happen.
   */
  guard<T>(query: () => Promise<T>): Promise<T>;
  /** Resolves when the server answers; guarded, so it is also what probes an open circuit. */
  check(): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * @param url of MongoDB (or FerretDB) with the database's name in its path; "notifications" if it has none
 * @param name shown in the server's log
 * @param options.operationTimeoutMs of a guarded operation, and of a command that has no answer
 * @param options.onCircuitChange told when the server stops answering, and when it answers again
 */
export function connectMongo(
  url: string,
  name: string,
  options: { operationTimeoutMs?: number; onCircuitChange?: OnCircuitChange } = {},
): MongoHandle {
  const operationTimeoutMs = options.operationTimeoutMs ?? OPERATION_TIMEOUT_MS;
  const client = new MongoClient(url, {
    appName: name,
    serverSelectionTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
    connectTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
    waitQueueTimeoutMS: operationTimeoutMs,
    socketTimeoutMS: operationTimeoutMs,
    retryWrites: false,
    ignoreUndefined: true,
  });
  const db = client.db(NAMES_DATABASE.test(url) ? undefined : "notifications");
  const breaker = createCircuitBreaker("mongodb", isHang, options.onCircuitChange);
  const deadline = timeout(operationTimeoutMs, TimeoutStrategy.Aggressive);
  let isClosing = false;
  // A client whose first connection failed keeps what it had begun, closed: every operation fails, until told to connect.
  const reconnect = (error: unknown) => {
    if (error instanceof MongoTopologyClosedError && !isClosing) client.connect().catch(() => {});
    throw error;
  };
  const guard: MongoHandle["guard"] = (query) => breaker(() => deadline.execute(query).catch(reconnect));
  return {
    db,
    guard,
    check: () => guard(() => db.command({ ping: 1 })),
    close() {
      isClosing = true;
      return client.close();
    },
  };
}

/** The driver's names for a silent server: found so by a command, by its monitor, or by looking for one in vain. */
const HANG = /^(Mongo(NetworkTimeout|ServerSelection|WaitQueueTimeout|PoolCleared)|PoolClearedOnNetwork)Error$/;

/** No answer in time, or no server to be found for as long as one is looked for. */
function isHang(error: unknown): boolean {
  if (error instanceof TaskCancelledError) return true;
  return error instanceof Error && HANG.test(error.name);
}

/**
 * @returns whether the document database could not do it now but may later. Its server errors count too: FerretDB
 * answers with an internal error while its own PostgreSQL is away, and MongoDB with "not primary" during an election.
 * What a document itself does wrong is code 2, 9, 14, 121 (bad value, parse, type, validation) or 17280/10334 (size).
 */
export function isMongoUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof CircuitOpenError || error instanceof TaskCancelledError) return true;
  if (error.name === "MongoServerError" || error.name === "MongoBulkWriteError") {
    return ![2, 9, 14, 121, 10334, 17280].includes(Number((error as Error & { code?: number }).code));
  }
  return /^(PoolClearedOnNetwork|Mongo(Network|NetworkTimeout|ServerSelection|PoolCleared|PoolClosed|WaitQueueTimeout|TopologyClosed|NotConnected|OperationTimeout))/.test(
    error.name,
  );
}
