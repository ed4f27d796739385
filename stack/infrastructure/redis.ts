import { join } from "node:path";
import { which } from "../bootstrap/command.mjs";
import { makePrivateFolder, writeFileAtomically } from "../files.ts";
import { HOST } from "../plan/ports.ts";
import { exchange } from "../supervisor/probes.ts";
import type { ProcessSpec } from "../supervisor/process-spec.ts";
import { baseEnvironment, placeOf, portOf, type ServerContext } from "./context.ts";

/** @returns the URL that processes reach Redis by */
export function redisUrl(context: ServerContext): string {
  return `redis://:${context.state.passwords.redis}@${HOST}:${portOf(context, "redis")}`;
}

/**
 * Writes Redis's configuration.
 *
 * @returns how to run the server
 */
export function prepareRedis(context: ServerContext): ProcessSpec {
  const port = portOf(context, "redis");
  const { redis: password } = context.state.passwords;
  const place = { ...placeOf(context.layout, "redis"), cwd: join(context.layout.dir, "redis") };
  makePrivateFolder(place.cwd);
  const configuration = join(place.cwd, "redis.conf");
  const settings = [`bind ${HOST}`, `port ${port}`, `requirepass ${password}`, "appendonly yes", 'save ""'];
  writeFileAtomically(configuration, `${settings.join("\n")}\n`);
  return {
    ...place,
    role: "redis",
    tier: "infrastructure",
    command: which("redis-server") ?? "redis-server",
    args: [configuration],
    env: baseEnvironment(),
    port,
    stopSignal: "SIGTERM",
    probe: (signal) => ping(port, password, signal),
  };
}

/** Redis answers `-LOADING` while it reads its append-only file. */
async function ping(port: number, password: string, signal: AbortSignal): Promise<void> {
  const request = `AUTH ${password}\r\nPING\r\n`;
  const answer = await exchange(port, request, (bytes) => bytes.toString().split("\r\n").length > 2, signal);
  if (answer.toString() !== "+OK\r\n+PONG\r\n") throw new Error(`Redis answers ${answer.toString().trim()}`);
}
