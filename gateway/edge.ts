import uWS from "uWebSockets.js";
import { setTimeout as delay } from "node:timers/promises";
import type { NotificationsContext } from "../domain/notifications/context.ts";
import { decodePosition, type Position } from "../domain/notifications/position.ts";
import type { Revocations } from "../lib/auth/revocations.ts";
import type { TokenVerifier } from "../lib/auth/tokens.ts";
import { AppError } from "../lib/errors.ts";
import type { Redis } from "../lib/redis.ts";
import type { Logger } from "../lib/telemetry/log.ts";
import type { Metrics } from "../lib/telemetry/metrics.ts";
import { authenticate, type Refusal } from "./authenticate.ts";
import { Budget } from "./budget.ts";
import { toCloseCode } from "./close-codes.ts";
import { BAD_FRAMES, createCommands } from "./commands.ts";
import { Connection, type ConnectionBounds } from "./connection.ts";
import { Connections } from "./connections.ts";
import { runFeed } from "./feed.ts";
import { FeedTurns } from "./feed-turns.ts";
import { CLIENT_FRAME_BYTES_MAX, errorFrame } from "./frames.ts";
import { addRefusals } from "./refusals.ts";
import { createSubscriptions } from "./subscriptions.ts";
import { readUpgrade } from "./upgrade.ts";

export interface EdgeDeps {
  host: string;
  /** 0 for any free one */
  port: number;
  ctx: NotificationsContext;
  /** a connection of its own, for pub/sub */
  redis: Redis;
  verifyToken: TokenVerifier;
  revocations: Pick<Revocations, "has" | "listen">;
  log: Logger;
  metrics: Metrics;
  bounds: ConnectionBounds & {
    /** Sockets that one player may have open at this edge. */
    connectionsPerPlayerMax: number;
    /** How often a socket looks for news that no wake-up told it of. */
    resyncIntervalMs: number;
    /** A socket from which nothing, not even a pong, has come for so long is dead. */
    idleTimeoutSeconds: number;
  };
}

export interface Edge {
  port: number;
  /** Ends the sockets whose feeds stand still. @throws Error when there are feeds and none turns */
  checkFeeds(): void;
  /** Takes no more connections and ends all with 1012, in small batches, so that they don't storm the other edges. */
  drain(): Promise<void>;
}

export const SOCKET_PATH = "/notifications/ws";

/** At most this many batches, so that draining takes 4 s and a moment. */
const DRAIN_BATCHES_MAX = 40;
const DRAIN_BATCH_INTERVAL_MS = 100;
const DRAIN_BATCH_MIN = 50;

/** What uWebSockets.js says for a connection that ended without a close frame (RFC 6455, section 7.4.1). */
const CLOSED_ABNORMALLY = 1006;

/** What a feed may take for a turn besides its waits for news and for its reader, in milliseconds: several looks at the database. */
const FEED_WORK_MS_MAX = 60_000;

/**
 * Frames of one player, at once and a second, over all their sockets at this edge: who marks a page of notifications as read is
 * far below it. One socket that floods the edge slows all others, so it is ended before its frame is even copied.
 */
const FRAMES = { burst: 200, perSecond: 40 };

/** Frames that a socket may send before its token has been checked. */
const EARLY_FRAMES_MAX = 32;

/** State of a socket. */
interface SocketState {
  requestId: string;
  /** Of the upgrade; forgotten once it is checked. */
  token: string | undefined;
  cursor: string | undefined;
  isClosed: boolean;
  /** What came before `handle` was there. */
  early: (string | undefined)[];
  /** Set once the socket is admitted. */
  connection?: Connection;
  handle?: (text: string | undefined) => Promise<void>;
}

type Socket = uWS.WebSocket<SocketState>;

/** Starts a notification edge: reads no environment. Resolves when it listens. */
export async function startEdge(deps: EdgeDeps): Promise<Edge> {
  const { bounds, log, metrics, verifyToken } = deps;
  const connections = new Connections();
  const frames = new Budget(FRAMES);
  const badFrames = new Budget(BAD_FRAMES);
  let isDraining = false;

  const subscriptions = createSubscriptions(
    deps.redis,
    {
      players: () => connections.players(),
      onWake: (playerId) => connections.of(playerId).forEach(ring),
      onWakeAll: () => connections.all().forEach(ring),
    },
    log,
  );
  deps.revocations.listen((playerId) => {
    for (const connection of connections.of(playerId)) connection.endIfRevoked(deps.revocations.has);
  });
  const feedTurns = new FeedTurns<Connection>(1.2 * bounds.resyncIntervalMs + bounds.slowReaderMs + FEED_WORK_MS_MAX);
  const feedOptions = {
    ctx: deps.ctx,
    log,
    resyncIntervalMs: bounds.resyncIntervalMs,
    onSent: () => metrics.notificationsSentTotal.inc(),
  };

  /** @param state passed in, since a closed socket throws when it is asked for it */
  const refuse = (ws: Socket, state: SocketState, { reason, principalId, sessionId }: Refusal) => {
    if (state.isClosed) return;
    const { requestId } = state;
    log.info({ requestId, playerId: principalId, sessionId, code: toCloseCode(reason), reason }, "connection refused");
    metrics.socketClosesTotal.inc({ reason });
    ws.end(toCloseCode(reason), reason);
  };

  /** Checks who it is; the socket may have closed meanwhile. */
  const admit = async (ws: Socket, state: SocketState) => {
    const outcome = await authenticate(verifyToken, state.token);
    state.token = undefined;
    if (state.isClosed) return;
    if ("reason" in outcome) return refuse(ws, state, outcome);
    const { id: principalId, sessionId } = outcome;
    if (isDraining) return refuse(ws, state, { reason: "restarting", principalId, sessionId });
    if (connections.countOf(principalId) >= bounds.connectionsPerPlayerMax) {
      return refuse(ws, state, { reason: "too_many_connections", principalId, sessionId });
    }

    const connection = new Connection(ws, outcome, bounds);
    const onDefect = (err: unknown) => {
      log.error({ err, playerId: connection.playerId }, "connection failed");
      connection.end("internal");
    };
    state.connection = connection;
    state.handle = createCommands({ ctx: deps.ctx, verifyToken, badFrames, onDefect }, connection);
    connections.add(connection);
    metrics.openSockets.inc();
    serve(connection, state.cursor).catch(onDefect);
    for (const text of state.early.splice(0)) void state.handle(text);
  };

  const serve = async (connection: Connection, cursor: string | undefined) => {
    await subscriptions.add(connection.playerId);
    await runFeed(feedOptions, connection, await readCursor(connection, cursor), feedTurns.begin(connection));
  };

  const app = uWS.App().ws<SocketState>(SOCKET_PATH, {
    maxPayloadLength: CLIENT_FRAME_BYTES_MAX,
    // We close at our own bound; this one only must not drop the close frame that says so.
    maxBackpressure: 2 * bounds.bufferedBytesMax,
    idleTimeout: bounds.idleTimeoutSeconds,
    sendPingsAutomatically: true,

    // At once; the token is checked on the open socket. A refused one is upgraded anyway, to be closed with its code,
    // since a browser can't see an HTTP status. And an upgrade after an await loses sockets: `res.cork`, without which
    // uWebSockets.js 20.51 warns, may take the new socket's memory for the old one's and close it.
    upgrade(res, req, context) {
      const { requestId, token, cursor, ...upgrade } = readUpgrade(req);
      if (upgrade.problem !== undefined) return refusals.upgradeRequired(res, requestId, upgrade.problem);
      res.upgrade<SocketState>(
        { requestId, token, cursor, isClosed: false, early: [] },
        upgrade.key,
        upgrade.subprotocol,
        upgrade.extensions,
        context,
      );
    },

    open(ws) {
      const state = ws.getUserData();
      admit(ws, state).catch((err: unknown) => {
        log.error({ err }, "admission failed");
        refuse(ws, state, { reason: "internal" });
      });
    },

    message(ws, message, isBinary) {
      const state = ws.getUserData();
      const { connection } = state;
      if (connection !== undefined && !frames.take(connection.playerId)) return connection.end("too_many_frames");
      // The buffer is gone when this returns, so it is copied into a string first.
      const text = isBinary ? undefined : Buffer.from(message).toString();
      if (state.handle !== undefined) void state.handle(text);
      else if (state.early.length < EARLY_FRAMES_MAX) state.early.push(text);
      // Dropped beyond `maxBackpressure`, which matters to nobody here.
      else ws.send(errorFrame("too_many_frames"));
    },

    drain(ws) {
      ws.getUserData().connection?.onDrain();
    },

    close(ws, code, message) {
      const state = ws.getUserData();
      state.isClosed = true;
      const { connection } = state;
      if (connection === undefined) return;
      // Without a close frame it is uWebSockets.js that says why; with one it is the client, in its own words.
      const detail = code === CLOSED_ABNORMALLY ? Buffer.from(message).toString() : undefined;
      const closed = connection.onClosed(code);
      log.info({ requestId: state.requestId, ...closed, detail }, "connection");
      metrics.socketClosesTotal.inc({ reason: closed.reason });
      metrics.openSockets.dec();
      if (connections.remove(connection)) subscriptions.remove(connection.playerId);
    },
  });
  const refusals = addRefusals(app, SOCKET_PATH, log);

  const listening = await new Promise<uWS.us_listen_socket>((resolve, reject) => {
    app.listen(deps.host, deps.port, (socket) => {
      if (socket === false) reject(new Error(`Can't listen on ${deps.host}:${deps.port}`));
      else resolve(socket);
    });
  });

  return {
    port: uWS.us_socket_local_port(listening),
    checkFeeds() {
      feedTurns.check();
      for (const connection of feedTurns.takeStanding()) {
        log.error({ playerId: connection.playerId }, "feed stands still");
        connection.end("internal");
      }
    },
    async drain() {
      isDraining = true;
      uWS.us_listen_socket_close(listening);
      const open = connections.all();
      const batch = Math.max(DRAIN_BATCH_MIN, Math.ceil(open.length / DRAIN_BATCHES_MAX));
      for (let from = 0; from < open.length; from += batch) {
        for (const connection of open.slice(from, from + batch)) connection.end("restarting");
        await delay(DRAIN_BATCH_INTERVAL_MS);
      }
      subscriptions.close();
      app.close();
    },
  };
}

const ring = (connection: Connection) => connection.bell.ring();

/** @returns the position to resume from; a bad cursor is told to the client and counts as none */
async function readCursor(connection: Connection, cursor: string | undefined): Promise<Position | undefined> {
  if (cursor === undefined) return undefined;
  try {
    return decodePosition(cursor);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    await connection.send(errorFrame(error.code));
    return undefined;
  }
}
