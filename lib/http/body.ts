import type { IncomingMessage } from "node:http";
import { AppError } from "../errors.ts";

/** Bytes; larger bodies are refused with 413. Assign takes 10,000 ids of 39 bytes and so has a larger limit. */
export const BODY_LIMIT_BYTES = 64 * 1024;
/** Milliseconds that a whole body may take. nginx bounds the pause between two reads only, and hands on what has come. */
export const BODY_TIMEOUT_MS = 20_000;

const utf8 = new TextDecoder("utf-8", { fatal: true });

export interface BodyBounds {
  limitBytes: number;
  /** Milliseconds from now on. */
  timeoutMs: number;
}

/**
 * The body of a request: kept only when somebody wants it, and received to its end before any answer goes out. A server that
 * answers and leaves a body unread has to close the connection, and the proxy may have given it to somebody else meanwhile.
 */
export class RequestBody {
  readonly #request: IncomingMessage | Request;
  readonly #limitBytes: number;
  readonly #deadline: number;
  #text: Promise<string> | undefined;
  #chunks: AsyncIterator<Uint8Array> | undefined;
  #isOver = false;
  #isBroken = false;
  #failure: AppError | undefined;

  /** @param request Node.js's own where there is one: a web stream around it costs as much as all else of a small request */
  constructor(request: IncomingMessage | Request, bounds: BodyBounds) {
    this.#request = request;
    this.#limitBytes = bounds.limitBytes;
    this.#deadline = performance.now() + bounds.timeoutMs;
  }

  /** Why it could not be read, if so: who reads it may have said less. */
  get failure(): AppError | undefined {
    return this.#failure;
  }

  /** @throws AppError `payload_too_large` if the headers say already that it is */
  refuseIfTooLarge(): void {
    const { headers } = this.#request;
    const length = headers instanceof Headers ? headers.get("content-length") : headers["content-length"];
    if (Number(length ?? 0) > this.#limitBytes) throw this.#tooLarge();
  }

  /** @throws AppError `payload_too_large`, `request_timeout`, `body_incomplete`, or `malformed_json` for what is not UTF-8 */
  text(): Promise<string> {
    this.#text ??= this.#read().catch((error: AppError) => {
      this.#failure = error;
      throw error;
    });
    return this.#text;
  }

  /** Receives what nobody has wanted. @returns whether the body has come to its end; else its connection can't go on */
  async discard(): Promise<boolean> {
    try {
      while ((await this.#next()) !== undefined);
      return true;
    } catch {
      return false;
    }
  }

  async #read(): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) {
      bytes += chunk.length;
      if (bytes > this.#limitBytes) throw this.#tooLarge();
      chunks.push(chunk);
    }
    try {
      return utf8.decode(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    } catch (cause) {
      throw new AppError("invalid_argument", "malformed_json", "The body is not UTF-8, as JSON has to be.", { cause });
    }
  }

  /** @returns the next bytes; undefined at the end */
  async #next(): Promise<Uint8Array | undefined> {
    if (this.#isOver) return undefined;
    // An iterator that has thrown says afterwards that it is done.
    if (this.#isBroken) throw bodyIncomplete();
    this.#chunks ??= chunksOf(this.#request);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(resolve, Math.max(this.#deadline - performance.now(), 0), "late");
    });
    try {
      const outcome = await Promise.race([this.#chunks.next(undefined), late]);
      if (outcome === "late") {
        throw new AppError("deadline_exceeded", "request_timeout", "The body did not arrive in time.");
      }
      this.#isOver = outcome.done === true;
      return outcome.value;
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      this.#isBroken = true;
      throw bodyIncomplete(cause);
    } finally {
      clearTimeout(timer);
    }
  }

  #tooLarge(): AppError {
    return new AppError(
      "payload_too_large",
      "payload_too_large",
      `The body may have at most ${this.#limitBytes} bytes.`,
    );
  }
}

const bodyIncomplete = (cause?: unknown) =>
  new AppError("invalid_argument", "body_incomplete", "The body broke off before its end.", { cause });

function chunksOf(request: IncomingMessage | Request): AsyncIterator<Uint8Array> {
  if (!(request instanceof Request)) return request.iterator({ destroyOnReturn: false });
  return (request.body ?? new Blob([]).stream())[Symbol.asyncIterator]();
}
