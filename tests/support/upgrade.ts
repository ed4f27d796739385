import { connect } from "node:net";
import { until } from "./until.ts";

/** What came back on a connection that asked to be a WebSocket. */
export interface UpgradeAnswer {
  status: number;
  /** The answer's headers, by their names in lower case. */
  headers: Record<string, string>;
  /** Of an answer that is no upgrade. */
  body: string;
  /** The first text frame that is no notification (the player may have been given a bonus), or the close frame. */
  frame: { text: string } | { closeCode: number; reason: string } | undefined;
}

/** The headers without which there is no upgrade (RFC 6455, section 4.1); others are lines of the test's own. */
export const UPGRADE = [
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/**
 * Sends a request line by line, as no client library would, and waits for the answer to be whole: with its first frame
 * where it is an upgrade, with its body where it is none.
 *
 * @param url of nginx, or of a gateway itself
 * @param lines of the header
 */
export async function askForUpgrade(
  url: string,
  lines: string[],
  { method = "GET", query = "", body = "" } = {},
): Promise<UpgradeAnswer> {
  const { hostname, port, host } = new URL(url);
  const request = [`${method} /notifications/ws${query} HTTP/1.1`, `Host: ${host}`, ...lines, "", body].join("\r\n");
  const chunks: Buffer[] = [];
  let isClosed = false;
  const socket = connect(Number(port), hostname, () => socket.write(request));
  socket.on("data", (chunk) => chunks.push(chunk));
  // A server that answers before it has read everything may reset the connection.
  socket.on("error", () => {});
  socket.on("close", () => {
    isClosed = true;
  });
  try {
    return await until("the answer is whole", () => {
      const answer = parse(Buffer.concat(chunks));
      if (isClosed && answer === undefined) throw new Error(`closed after ${Buffer.concat(chunks)}`);
      return answer;
    });
  } finally {
    socket.destroy();
  }
}

function parse(bytes: Buffer): UpgradeAnswer | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [statusLine = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const status = Number(statusLine.split(" ")[1]);
  const rest = bytes.subarray(end + 4);
  if (status === 101) {
    const frame = parseFrame(rest);
    return frame && { status, headers, body: "", frame };
  }
  const isWhole = rest.length >= Number(headers["content-length"] ?? Number.POSITIVE_INFINITY);
  return isWhole ? { status, headers, body: rest.toString(), frame: undefined } : undefined;
}

/** Reads a server's frames, which have no mask (RFC 6455, section 5.2); none of these is longer than 64 KiB. */
function parseFrame(bytes: Buffer): UpgradeAnswer["frame"] {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  const isExtended = second === 126;
  const start = isExtended ? 4 : 2;
  if (bytes.length < start) return undefined;
  const end = start + (isExtended ? bytes.readUInt16BE(2) : second);
  if (bytes.length < end) return undefined;
  const payload = bytes.subarray(start, end);
  const OPCODE_CLOSE = 8;
  if ((first & 0x0f) === OPCODE_CLOSE)
    return { closeCode: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
  const text = payload.toString();
  return JSON.parse(text).type === "notification" ? parseFrame(bytes.subarray(end)) : { text };
}
