/** How one operating system process is started. Its working directory belongs to it alone. */
export interface Command {
  name: string;
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  cwd: string;
  logFile: string;
  /** The user it runs as, when that is another one. */
  user?: { uid: number; gid: number } | undefined;
}

/** A process that is kept running. */
export interface ProcessSpec extends Command {
  /** What it is an instance of, such as `users` or `kafka`. */
  role: string;
  tier: "infrastructure" | "proxy" | "gateway" | "function" | "worker";
  /** The port that others use. */
  port?: number | undefined;
  /** The port of its health checks and metrics. */
  internalPort?: number | undefined;
  stopSignal: NodeJS.Signals;
  /** Resolves when the process does its work, rejects with the reason when it does not. */
  probe: (signal: AbortSignal) => Promise<void>;
  /** Asked while it does not do its work: rejects when it will not do it again by itself, and has to be started anew. */
  probeLife?: (signal: AbortSignal) => Promise<void>;
}

export type Health = "starting" | "ready" | "unready" | "down" | "stopped";

/** One process as `npm run status` shows it. */
export interface ProcessStatus {
  name: string;
  role: string;
  pid: number | null;
  port: number | null;
  internalPort: number | null;
  health: Health;
  restarts: number;
}
