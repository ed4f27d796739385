import { WebSocket } from "ws";
import { servers } from "./servers.ts";
import { until } from "./until.ts";

export interface Frame {
  type: "notification" | "ready" | "error";
  id?: string;
  cursor?: string;
  event?: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests assert on what they read
  content?: any;
  createdAt?: string;
  recovered?: boolean;
  code?: string;
}

export interface TestSocket {
  /** Everything received so far, in order. */
  frames: Frame[];
  /** Set when the connection has ended. */
  closeCode: number | undefined;
  closeReason: string | undefined;
  notifications(): Frame[];
  send(frame: unknown): void;
  sendRaw(data: string | Buffer, options?: { binary: boolean }): void;
  /** Waits for the first frame, received already or not, that fits. */
  next(what: string, fits: (frame: Frame) => boolean): Promise<Frame>;
  untilReady(): Promise<Frame>;
  untilClosed(): Promise<number>;
  close(): void;
}

/** Opens a player's notification socket through nginx. */
export async function openSocket(
  token: string | undefined,
  options: { cursor?: string; viaSubprotocol?: boolean; url?: string } = {},
): Promise<TestSocket> {
  const url = new URL("/notifications/ws", options.url ?? servers.url);
  url.protocol = "ws:";
  if (options.cursor !== undefined) url.searchParams.set("cursor", options.cursor);
  const socket =
    token === undefined
      ? new WebSocket(url)
      : options.viaSubprotocol
        ? new WebSocket(url, ["casino.v1", `bearer.${token}`])
        : new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
  const frames: Frame[] = [];
  let closeCode: number | undefined;
  let closeReason: string | undefined;
  socket.on("message", (data) => frames.push(JSON.parse(data.toString())));
  socket.on("close", (code, reason) => {
    closeCode = code;
    closeReason = reason.toString();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  const next = async (what: string, fits: (frame: Frame) => boolean) => {
    const frame = await until(what, () => frames.find(fits) ?? (closeCode === undefined ? undefined : "closed"));
    if (frame === "closed") throw new Error(`Closed with ${closeCode} ${closeReason} before ${what}`);
    return frame;
  };
  return {
    frames,
    get closeCode() {
      return closeCode;
    },
    get closeReason() {
      return closeReason;
    },
    notifications: () => frames.filter(({ type }) => type === "notification"),
    send: (frame) => socket.send(JSON.stringify(frame)),
    sendRaw: (data, options) => (options === undefined ? socket.send(data) : socket.send(data, options)),
    next,
    untilReady: () => next("the socket is ready", ({ type }) => type === "ready"),
    untilClosed: () => until("the socket is closed", () => closeCode),
    close: () => socket.close(),
  };
}
