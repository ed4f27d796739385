import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { createRandom, type Random } from "../faults/random.ts";
import { until } from "../support/until.ts";
import { UPGRADE } from "../support/upgrade.ts";

/** What is asked on a port that others reach. */
export interface Edge {
  /** The process that listens, which must live, and have the memory that it had. */
  pid: number;
  port: number;
}

export interface EdgeFuzzOptions {
  seed: number;
  /** Connections to each edge. */
  connections: number;
  /** The gateways. */
  gateways: readonly Edge[];
  /** Users' gRPC ports. */
  grpcServers: readonly Edge[];
  /** Of several players, for sockets that get as far as frames: what one may send is bounded. */
  accessTokens: readonly string[];
  /** Users' credential, for calls that get as far as messages. */
  serviceToken: string;
}

export interface EdgeFuzzOutcome {
  connections: number;
  bytes: number;
  /** Sockets that got as far as frames, and calls that got as far as messages. */
  opened: number;
  /** Of each process: kilobytes before and after. */
  memory: { pid: number; beforeKb: number; afterKb: number }[];
}

const AT_ONCE = 8;
/** Milliseconds that one connection may take; a server that says nothing keeps it open, and is right to. */
const CONNECTION_MS_MAX = 1_000;
const MEMORY_GROWTH_MAX = 1.1;
/** A share of the connections goes first: compiled code and the pools of a process that has just begun are no leak. */
const WARM_UP_ROUNDS = 2;
const MIB = 1024 * 1024;

/**
 * Sends to the gateways and to Users' gRPC what no client of ours would: random bytes, frames that are cut off, and frames that are
 * huge or say that they are.
 *
 * @returns what was sent, and the memory of each process
 * @throws Error when a process died, or has not come back to the memory that it began with, but for a tenth
 */
export async function fuzzEdges(options: EdgeFuzzOptions): Promise<EdgeFuzzOutcome> {
  const { seed, connections, gateways, grpcServers } = options;
  const edges = [...gateways, ...grpcServers];
  const outcome: EdgeFuzzOutcome = { connections: 0, bytes: 0, opened: 0, memory: [] };
  const round = async (label: string) => {
    for (const [kind, targets, attack] of [
      ["gateway", gateways, attackSocket],
      ["grpc", grpcServers, attackGrpc],
    ] as const) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, lane) => {
          for (let index = lane; index < connections; index += AT_ONCE) {
            for (const { port } of targets) {
              const sent = await attack(port, createRandom(seed, label, kind, index), options);
              outcome.bytes += sent.bytes;
              outcome.opened += sent.isOpened ? 1 : 0;
              outcome.connections += 1;
            }
          }
        }),
      );
    }
  };
  for (let warmUp = 0; warmUp < WARM_UP_ROUNDS; warmUp++) await round(`warm-up-${warmUp}`);
  const before = new Map(edges.map(({ pid }) => [pid, residentKb(pid)]));
  await round("measured");
  for (const [pid, beforeKb] of before) {
    const afterKb = await until(
      `process ${pid} is back to its ${beforeKb} kB`,
      () => {
        const now = residentKb(pid);
        return now <= beforeKb * MEMORY_GROWTH_MAX ? now : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 500 },
    );
    outcome.memory.push({ pid, beforeKb, afterKb });
  }
  return outcome;
}

/** @throws Error when the process is gone */
function residentKb(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  if (kilobytes === undefined) throw new Error(`process ${pid} has ended`);
  return Number(kilobytes);
}

/** Bytes are the seed's too, so that a run can be repeated. */
function bytesOf(random: Random, length: number): Buffer {
  const pattern = Buffer.from(Array.from({ length: Math.min(length, 64) }, () => random.integer(0, 255)));
  return Buffer.alloc(length, pattern);
}

interface Sent {
  bytes: number;
  isOpened: boolean;
}

/**
 * Sends chunks, one after the other as far as the server takes them, and waits for it to hang up, or for a while.
 *
 * @param options.opensWith what the answer to the first chunk begins with, before the others are sent; it may not come
 * @param options.cutsOff whether to reset the connection in the end
 */
async function send(
  port: number,
  chunks: readonly Buffer[],
  { opensWith, cutsOff }: { opensWith?: string; cutsOff: boolean },
): Promise<Sent> {
  const socket: Socket = connect(port, "127.0.0.1");
  let isOpened = false;
  const answered = new Promise<void>((resolve) => {
    socket.on("data", (bytes) => {
      if (opensWith !== undefined && bytes.includes(opensWith)) isOpened = true;
      resolve();
    });
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const deadline = setTimeout(() => socket.destroy(), CONNECTION_MS_MAX);
  for (const [index, chunk] of chunks.entries()) {
    if (socket.destroyed) break;
    const isTaken = socket.write(chunk);
    if (!isTaken) await Promise.race([once(socket, "drain").catch(() => {}), closed]);
    if (index === 0 && chunks.length > 1 && opensWith !== undefined) await Promise.race([answered, closed]);
  }
  const bytes = socket.bytesWritten;
  if (cutsOff) socket.resetAndDestroy();
  else socket.end();
  await closed;
  clearTimeout(deadline);
  return { bytes, isOpened };
}

// ---- the gateway

const upgradeRequest = (accessToken: string) =>
  Buffer.from(
    [
      "GET /notifications/ws HTTP/1.1",
      "Host: 127.0.0.1",
      ...UPGRADE,
      `Authorization: Bearer ${accessToken}`,
      "",
      "",
    ].join("\r\n"),
  );

/** A frame as clients send it (RFC 6455, section 5.2), whose header may say anything. */
function frame(
  random: Random,
  { opcode, payload, says = payload.length }: { opcode: number; payload: Buffer; says?: number },
) {
  const flags = random.chance(0.8) ? 0x80 : random.pick([0x00, 0xc0, 0xf0]);
  const isMasked = random.chance(0.9) ? 0x80 : 0;
  const header = Buffer.alloc(10);
  header[0] = flags | opcode;
  header[1] = isMasked | 127;
  header.writeBigUInt64BE(BigInt(says), 2);
  const short = says < 126 ? Buffer.from([flags | opcode, isMasked | says]) : header;
  return Buffer.concat([short, isMasked ? Buffer.from([0, 0, 0, 0]) : Buffer.alloc(0), payload]);
}

async function attackSocket(port: number, random: Random, { accessTokens }: EdgeFuzzOptions): Promise<Sent> {
  const accessToken = random.pick(accessTokens);
  const opcode = random.pick([0, 1, 1, 1, 2, 3, 8, 9, 10, 15]);
  const text = random.pick([
    '{"type":"read","id":"',
    "{".repeat(2_000),
    '{"type":"auth","accessToken":1}',
    "\ud800",
    "",
  ]);
  const attacks: (() => Buffer[])[] = [
    // No HTTP, and HTTP that goes on for ever or ends in the middle.
    () => [bytesOf(random, random.integer(1, 4_096))],
    () => [Buffer.from(`GET /notifications/ws HTTP/1.1\r\nX: ${"x".repeat(random.integer(1, 200_000))}`)],
    () => [upgradeRequest(accessToken).subarray(0, random.integer(1, 200))],
    () => [upgradeRequest(bytesOf(random, 200).toString("base64url"))],
    // Frames that are none, cut off, or not what they say.
    () => [upgradeRequest(accessToken), bytesOf(random, random.integer(1, 8_192))],
    () => [upgradeRequest(accessToken), frame(random, { opcode, payload: Buffer.from(text) })],
    () => [
      upgradeRequest(accessToken),
      frame(random, { opcode, payload: Buffer.alloc(10), says: random.integer(11, 16_384) }),
    ],
    () => [
      upgradeRequest(accessToken),
      frame(random, {
        opcode,
        payload: Buffer.alloc(10),
        says: random.pick([2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]),
      }),
    ],
    () => [
      upgradeRequest(accessToken),
      frame(random, { opcode, payload: bytesOf(random, random.integer(16_384, 2 * MIB)) }),
    ],
    () => [
      upgradeRequest(accessToken),
      ...Array.from({ length: random.integer(1, 400) }, () => frame(random, { opcode, payload: bytesOf(random, 20) })),
    ],
  ];
  return send(port, random.pick(attacks)(), { opensWith: "HTTP/1.1 101", cutsOff: random.chance(0.3) });
}

// ---- gRPC

const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** A frame of HTTP/2 (RFC 9113, section 4.1), whose header may say anything. */
function http2Frame(random: Random, payload: Buffer, says = payload.length): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(says, 0, 3);
  header[3] = random.integer(0, 12);
  header[4] = random.integer(0, 255);
  header.writeUInt32BE(random.pick([0, 1, 2, 3, 0xffff_ffff]), 5);
  return Buffer.concat([header, payload]);
}

async function attackGrpc(port: number, random: Random, options: EdgeFuzzOptions): Promise<Sent> {
  if (random.chance(0.5)) return callWithNonsense(port, random, options);
  const attacks: (() => Buffer[])[] = [
    () => [bytesOf(random, random.integer(1, 4_096))],
    () => [HTTP2_PREFACE.subarray(0, random.integer(1, HTTP2_PREFACE.length))],
    () => [HTTP2_PREFACE, SETTINGS, bytesOf(random, random.integer(1, 64 * 1024))],
    () => [HTTP2_PREFACE, SETTINGS, http2Frame(random, bytesOf(random, 10), random.integer(11, 0xff_ff_ff))],
    () => [
      HTTP2_PREFACE,
      SETTINGS,
      ...Array.from({ length: random.integer(1, 50) }, () =>
        http2Frame(random, bytesOf(random, random.integer(0, 2_048))),
      ),
    ],
    () => [HTTP2_PREFACE, SETTINGS, http2Frame(random, bytesOf(random, random.integer(16_384, MIB)))],
  ];
  return send(port, random.pick(attacks)(), { cutsOff: random.chance(0.5) });
}

/** A call that is one as far as HTTP/2 goes, of a message that is none, is cut off, is huge or says that it is. */
async function callWithNonsense(port: number, random: Random, { serviceToken }: EdgeFuzzOptions): Promise<Sent> {
  const payload = bytesOf(random, random.pick([0, 1, 20, 300, 64 * 1024 + 1, MIB]));
  const says = random.chance(0.5) ? payload.length : random.pick([payload.length + 1, 2 ** 31, 0xffff_ffff]);
  const prefix = Buffer.alloc(5);
  prefix[0] = random.pick([0, 0, 1, 255]);
  prefix.writeUInt32BE(says, 1);
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  const closed = once(session, "close").catch(() => {});
  const deadline = setTimeout(() => session.destroy(), CONNECTION_MS_MAX);
  let isOpened = false;
  const stream = session.request({
    ":method": "POST",
    ":path": `/casino.balance.v1.BalanceService/${random.pick(["AddTransaction", "VoidTransaction", "Nothing"])}`,
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${random.chance(0.8) ? serviceToken : "nobody"}`,
    ...(random.chance(0.2) ? { "x-more": "x".repeat(random.integer(1, 100_000)) } : {}),
  });
  stream.on("error", () => {});
  stream.on("response", () => {
    isOpened = true;
  });
  stream.on("close", () => session.close());
  stream.resume();
  stream.write(prefix);
  if (random.chance(0.3)) stream.write(payload, () => stream.destroy());
  else stream.end(payload);
  await closed;
  clearTimeout(deadline);
  return { bytes: prefix.length + payload.length, isOpened };
}
