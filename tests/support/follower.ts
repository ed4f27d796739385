import { type Frame, openSocket } from "./socket.ts";
import { until } from "./until.ts";

/** The close code with which an edge that restarts sends its sockets elsewhere. */
const RESTARTING = 1012;

/** A client as it should be: when the edge restarts, it connects again with its last cursor. */
export interface Follower {
  /** Every notification in the order of arrival, over all connections. */
  notifications: Frame[];
  /** How often it had to connect again. */
  reconnects: number;
  /** What went wrong: other close codes, refused upgrades, replays that could not go on at the cursor. */
  failures: string[];
  close(): void;
}

/** Follows a player's notifications through nginx until it is closed. */
export async function followNotifications(token: string): Promise<Follower> {
  let isOver = false;
  let socket = await openSocket(token);
  await socket.untilReady();
  let cursor = "";
  const follower: Follower = {
    notifications: [],
    reconnects: 0,
    failures: [],
    close() {
      isOver = true;
      socket.close();
    },
  };
  const take = () => {
    for (const frame of socket.frames.splice(0)) {
      if (frame.cursor !== undefined) cursor = frame.cursor;
      if (frame.type === "notification") follower.notifications.push(frame);
      const isRecovered = frame.recovered === true || follower.reconnects === 0;
      if (frame.type === "ready" && !isRecovered) follower.failures.push("not recovered");
      if (frame.type === "error") follower.failures.push(`error frame ${frame.code}`);
    }
  };
  void (async () => {
    while (!isOver) {
      await until("news", () => isOver || socket.frames.length > 0 || socket.closeCode, { timeoutMs: 3_600_000 });
      take();
      if (isOver || socket.closeCode === undefined) continue;
      if (socket.closeCode !== RESTARTING) follower.failures.push(`closed with ${socket.closeCode}`);
      follower.reconnects += 1;
      try {
        socket = await openSocket(token, { cursor });
      } catch (error) {
        follower.failures.push(`connecting: ${(error as Error).message}`);
      }
    }
  })();
  return follower;
}
