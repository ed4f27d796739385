import { AppError, unavailable } from "../errors.ts";
import { createSemaphore } from "../semaphore.ts";
import type { Logger } from "../telemetry/log.ts";
import { type CsvCell, toCsv, toCsvLine } from "./csv.ts";

/** A file that is streamed to one client. */
export interface Export {
  header: readonly string[];
  /** batches of lines, each read when the client has taken the one before; its `return` gives back what it holds */
  batches: AsyncGenerator<CsvCell[][]>;
  /** of the log line of its end */
  logFields: Record<string, unknown>;
}

export interface Exports {
  /**
   * @param begin called when it is its turn; what it throws is the answer
   * @returns the body. It ends well only when it is whole: else the connection breaks off
   * @throws AppError `too_many_exports`; what `begin` throws, and what reading the first batch throws
   */
  stream(begin: () => Export): Promise<ReadableStream<Uint8Array>>;
  /** Breaks off those that are under way, and takes no more. */
  stop(): void;
}

/** What is told to a client that comes when all places are taken. */
const RETRY_AFTER_SECONDS = 30;

/**
 * Streams files that don't fit into memory, in a bounded number at a time: each holds a connection to the database for as long
 * as its client takes.
 *
 * @param limits.runningMax how many at a time
 * @param limits.stallMsMax how long a client may take for a batch, in milliseconds; then the export breaks off
 * @param limits.lastsMsMax how long an export may take in all, in milliseconds
 */
export function createExports(
  limits: { runningMax: number; stallMsMax: number; lastsMsMax: number },
  log: Logger,
): Exports {
  const inTurn = createSemaphore({ runningMax: limits.runningMax, waitingMax: 0 }, tooManyExports);
  const stopping = new AbortController();
  return {
    stop: () => stopping.abort(new Error("this replica stops")),
    async stream(begin) {
      if (stopping.signal.aborted) throw unavailable("database_unavailable", "The database", stopping.signal.reason);
      const leave = await enter(inTurn);
      let batches: Export["batches"] | undefined;
      try {
        const { header, logFields, ...started } = begin();
        batches = started.batches;
        const first = await batches.next();
        const body = { header, batches, first, logFields };
        return toStream(body, { ...limits, stopping: stopping.signal, log, leave });
      } catch (error) {
        await batches?.return(undefined);
        leave();
        throw error;
      }
    },
  };
}

const tooManyExports = () =>
  new AppError("rate_limited", "too_many_exports", "Other exports are under way; try again when one has ended.", {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });

/** @returns gives the place back */
function enter(inTurn: ReturnType<typeof createSemaphore>): Promise<() => void> {
  return new Promise((resolve, reject) => {
    inTurn(() => new Promise<void>((leave) => resolve(leave))).catch(reject);
  });
}

function toStream(
  { header, batches, first, logFields }: Export & { first: IteratorResult<CsvCell[][]> },
  options: { stallMsMax: number; lastsMsMax: number; stopping: AbortSignal; log: Logger; leave: () => void },
): ReadableStream<Uint8Array> {
  const { stallMsMax, lastsMsMax, stopping, log, leave } = options;
  const startedAt = performance.now();
  const encoder = new TextEncoder();
  let next: IteratorResult<CsvCell[][]> | undefined = first;
  let rows = 0;
  let isOver = false;
  let stalled: NodeJS.Timeout | undefined;
  let breakOff: (error: Error) => void = () => {};

  const end = async (outcome: "complete" | "broken off", err?: unknown) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(stalled);
    clearTimeout(expired);
    stopping.removeEventListener("abort", onStopping);
    const durationMs = Math.round(performance.now() - startedAt);
    const fields = { ...logFields, rows, durationMs, outcome };
    if (err === undefined) log.info(fields, "export ended");
    else log.warn({ ...fields, err }, "export ended");
    try {
      await batches.return(undefined);
    } catch (error) {
      log.warn({ ...logFields, err: error }, "an export could not end its query");
    }
    leave();
  };
  const onStopping = () => breakOff(stopping.reason);
  const expired = setTimeout(() => breakOff(new Error("the export took too long")), lastsMsMax);
  stopping.addEventListener("abort", onStopping);

  return new ReadableStream<Uint8Array>({
    start(controller) {
      breakOff = (error) => {
        if (isOver) return;
        controller.error(error);
        void end("broken off", error);
      };
      controller.enqueue(encoder.encode(toCsv(header, [])));
    },
    async pull(controller) {
      clearTimeout(stalled);
      try {
        const batch = next ?? (await batches.next());
        next = undefined;
        if (isOver) return;
        if (batch.done) {
          controller.close();
          return end("complete");
        }
        rows += batch.value.length;
        controller.enqueue(encoder.encode(batch.value.map(toCsvLine).join("")));
        stalled = setTimeout(() => breakOff(new Error("the client does not read")), stallMsMax);
      } catch (error) {
        breakOff(error as Error);
      }
    },
    // The client has gone.
    cancel: (reason) => end("broken off", reason),
  });
}
