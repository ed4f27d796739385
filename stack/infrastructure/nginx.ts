import { closeSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { which } from "../bootstrap/command.mjs";
import { ROOT } from "../plan/layout.ts";
import { HOST } from "../plan/ports.ts";
import { openLog, rotateLog } from "../supervisor/launch.ts";
import type { ProcessSpec } from "../supervisor/process-spec.ts";
import { baseEnvironment, placeOf, type ServerContext } from "./context.ts";

const SOURCES = join(ROOT, "nginx");

/** An upstream's name and the ports of its replicas. */
export type Upstreams = Readonly<Record<string, readonly number[]>>;

/**
 * Renders nginx's configuration into its own prefix folder.
 *
 * @param publicPort the one port that is meant for the outside
 * @param rateLimits whether one network address may ask for so much only; "off" for load from this machine
 * @returns how to run nginx
 */
export function prepareNginx(
  context: ServerContext,
  publicPort: number,
  upstreams: Upstreams,
  rateLimits: "on" | "off",
): ProcessSpec {
  const folder = context.layout.nginx;
  const accessLog = join(context.layout.logs, "nginx-access.log");
  mkdirSync(join(folder, "temp"), { recursive: true });
  rotateLog(accessLog);
  // nginx itself would make it readable by everybody; one that is there keeps its mode.
  closeSync(openLog(accessLog));
  for (const name of readdirSync(SOURCES)) {
    if (name.endsWith(".conf")) copyFileSync(join(SOURCES, name), join(folder, name));
  }
  const values: Record<string, string> = {
    accessLog,
    listen: `${HOST}:${publicPort}`,
    limitZones: rateLimits === "on" ? "include limit-zones.conf;" : "",
    limits: rateLimits === "on" ? "include limits.conf;" : "",
    upstreams: Object.entries(upstreams)
      .map(([name, ports]) => upstreamBlock(name, ports))
      .join("\n"),
  };
  const template = readFileSync(join(SOURCES, "stack.conf.template"), "utf8");
  const configuration = join(folder, "nginx.conf");
  writeFileSync(
    configuration,
    template.replace(/\{(\w+)\}/g, (text, key: string) => values[key] ?? text),
  );
  return {
    ...placeOf(context.layout, "nginx"),
    role: "nginx",
    tier: "proxy",
    command: which("nginx") ?? "nginx",
    args: ["-e", "stderr", "-p", folder, "-c", configuration],
    env: baseEnvironment(),
    cwd: folder,
    port: publicPort,
    // Finishes the requests that are under way (nginx.org/en/docs/control.html).
    stopSignal: "SIGQUIT",
    probe: (signal) => probe(publicPort, signal),
  };
}

/** What holds requests that last for hours. */
const LONG_LIVED: readonly string[] = ["gateway"];

/**
 * A replica that fails is left out for a second: long enough to spare it requests, short enough to have it back soon.
 * Not one with long-lived requests: after a failure nginx lets one request a second through until one of them has *ended*
 * well, so a gateway that was restarted would have one socket a second, and all of them restarted none.
 *
 * Idle connections are dropped before a draining function drops them (3.5 s, lib/http/server.ts), else a request could meet
 * one that is just closing. It takes that long to drain, so this is short.
 */
function upstreamBlock(name: string, ports: readonly number[]): string {
  const onFailure = LONG_LIVED.includes(name) ? "max_fails=0" : "max_fails=1 fail_timeout=1s";
  const servers = ports.map((port) => `        server ${HOST}:${port} ${onFailure};`);
  const lines = [`        zone ${name} 64k;`, ...servers, "        keepalive 64;", "        keepalive_timeout 2s;"];
  return [`    upstream ${name} {`, ...lines, "    }"].join("\n");
}

async function probe(port: number, signal: AbortSignal): Promise<void> {
  const response = await fetch(`http://${HOST}:${port}/`, { signal });
  await response.text();
  if (response.status !== 200) throw new Error(`nginx answers ${response.status}`);
}
