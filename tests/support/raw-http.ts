import { connect, type Socket } from "node:net";
import { until } from "./until.ts";

/** An HTTP answer as it came over the wire. */
export interface RawAnswer {
  status: number;
  /** Names in lower case. */
  headers: Map<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: tests assert on what they read
  body: any;
}

/** A connection on which a test says whatever it wants to, byte by byte. */
export class RawConnection {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #isClosed = false;
  #error: NodeJS.ErrnoException | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
    });
    socket.on("error", (error) => {
      this.#error = error;
    });
    socket.on("close", () => {
      this.#isClosed = true;
    });
  }

  static async open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    const connection = new RawConnection(socket);
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return connection;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What broke it, such as a reset. */
  get error(): NodeJS.ErrnoException | undefined {
    return this.#error;
  }

  /** What has come and was not taken for an answer yet. */
  get received(): string {
    return this.#received.toString("latin1");
  }

  /** @param text Latin-1, so that it can hold any byte */
  send(text: string): void {
    this.#socket.write(Buffer.from(text, "latin1"));
  }

  /** Waits until the kernel has taken what was said. */
  async flushed(): Promise<void> {
    await until("it is written", () => this.#socket.writableLength === 0, { intervalMs: 1 });
  }

  /** Waits for the next answer: with `Content-Length`, chunked, or ended by the connection's end. */
  answer(options?: { hasBody?: boolean; timeoutMs?: number }): Promise<RawAnswer> {
    return until("there is an answer", () => this.#take(options?.hasBody ?? true), { intervalMs: 5, ...options });
  }

  async untilClosed(timeoutMs?: number): Promise<void> {
    await until("the connection is closed", () => this.#isClosed, timeoutMs === undefined ? {} : { timeoutMs });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(hasBody: boolean): RawAnswer | undefined {
    const end = this.#received.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const [statusLine = "", ...lines] = this.#received.subarray(0, end).toString("latin1").split("\r\n");
    const headers = new Map(
      lines.map((line) => [line.split(":", 1)[0]?.toLowerCase(), /:\s*(.*)/.exec(line)?.[1]] as [string, string]),
    );
    const rest = this.#received.subarray(end + 4);
    const length = hasBody ? this.#lengthOf(headers, rest) : 0;
    if (length === undefined || rest.length < length) return undefined;
    this.#received = rest.subarray(length);
    const text = rest.subarray(0, length).toString();
    const body = headers.get("content-type")?.includes("json") && text !== "" ? JSON.parse(text) : text;
    return { status: Number(statusLine.split(" ")[1]), headers, body };
  }

  /** @returns undefined while it can't be told */
  #lengthOf(headers: Map<string, string>, rest: Buffer): number | undefined {
    const length = headers.get("content-length");
    if (length !== undefined) return Number(length);
    if (headers.get("transfer-encoding") === "chunked") throw new Error("chunked answers are not expected here");
    return this.#isClosed ? rest.length : undefined;
  }
}

/** @returns one answer to what is said on a connection of its own */
export async function exchange(url: string, text: string, options?: { hasBody?: boolean }): Promise<RawAnswer> {
  const connection = await RawConnection.open(url);
  connection.send(text);
  try {
    return await connection.answer(options);
  } finally {
    connection.close();
  }
}

/** A request as it goes over the wire; its body is sized, or chunked in two pieces. */
export function rawRequest(
  target: string,
  request: { headers?: string[]; body?: string; isChunked?: boolean } = {},
): string {
  const { headers = [], body, isChunked = false } = request;
  const framing =
    body === undefined ? [] : isChunked ? ["Transfer-Encoding: chunked"] : [`Content-Length: ${body.length}`];
  const half = Math.floor((body?.length ?? 0) / 2);
  const pieces = isChunked && body !== undefined ? [body.slice(0, half), body.slice(half), ""] : [];
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join("");
  return `${[`${target} HTTP/1.1`, "Host: casino.example", ...headers, ...framing].join("\r\n")}\r\n\r\n${isChunked ? chunks : (body ?? "")}`;
}
