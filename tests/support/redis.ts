import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import getPort from "get-port";
import { until } from "./until.ts";

/** For a Redis that is to forget everything when it is killed. */
export const STORE_NOTHING = ["--save", "", "--appendonly", "no"];

export interface OwnRedis {
  url: string;
  port: number;
  /** Kills it; what it held is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** SIGSTOP freezes it, SIGCONT lets it go on. */
  signal(signal: NodeJS.Signals): void;
}

/**
 * A Redis of a test's own, to be killed and frozen. `kill` it in the end.
 *
 * @param args further arguments; those of a Sentinel begin with its configuration file
 */
export async function startOwnRedis(args: readonly string[] = STORE_NOTHING): Promise<OwnRedis> {
  const port = await getPort();
  let server: ChildProcess | undefined;
  const own: OwnRedis = {
    url: `redis://127.0.0.1:${port}`,
    port,
    async kill() {
      if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
      const exited = once(server, "exit");
      server.kill("SIGKILL");
      await exited;
    },
    async start() {
      const place = ["--port", String(port), "--bind", "127.0.0.1", "--dir", tmpdir()];
      server = spawn("redis-server", [...args, ...place], { stdio: "ignore" });
      await until("redis-server listens", () => accepts(port));
    },
    signal(signal) {
      server?.kill(signal);
    },
  };
  await own.start();
  return own;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** A primary and its replica, as they are before a failover. `kill` both in the end. */
export async function startRedisPair(): Promise<{ primary: OwnRedis; replica: OwnRedis }> {
  // The replica is there as soon as it asks.
  const primary = await startOwnRedis([...STORE_NOTHING, "--repl-diskless-sync-delay", "0"]);
  const replica = await startOwnRedis([
    ...STORE_NOTHING,
    ...["--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", String(primary.port)],
  ]);
  return { primary, replica };
}
