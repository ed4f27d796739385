import { createServer, type Server } from "node:http";
import type { Registry } from "prom-client";

/** A dependency check: resolves when the dependency answers, rejects when it doesn't. */
export type Check = () => Promise<unknown>;
/** Throws, or rejects, when a loop stands still. */
export type LoopCheck = () => void | Promise<void>;

/** Longest time in milliseconds that one check may take before it counts as failed. */
const CHECK_TIMEOUT_MS = 2_000;
/** Milliseconds between two looks at the loops of a process. */
const LOOK_INTERVAL_MS = 5_000;

/**
 * What `/readyz` says: ready only when started, not draining, every loop turns and every check passes. What `/livez` says:
 * alive unless a loop stands still. And what `/startupz` says: whether it has started.
 */
export class Health {
  readonly #checks = new Map<string, Check>();
  readonly #loops = new Map<string, LoopCheck>();
  /** What was wrong with a loop at the last look. */
  #standing: Record<string, string> = {};
  #state: "starting" | "serving" | "draining" = "starting";
  #hasStarted = false;

  addCheck(name: string, check: Check): void {
    this.#checks.set(name, check);
  }

  /**
   * @param check throws when the loop has stood still for longer than it can have a reason for. One that waits on purpose
   * turns: a dependency that is away must not get a process killed.
   */
  addLoop(name: string, check: LoopCheck): void {
    this.#loops.set(name, check);
  }

  markServing(): void {
    if (this.#state !== "starting") return;
    this.#state = "serving";
    this.#hasStarted = true;
  }

  /** Whether its start is over, well: true from then on, whatever becomes of it. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  markDraining(): void {
    this.#state = "draining";
  }

  /** Asks every loop; what it says holds until the next look. */
  async lookAtLoops(): Promise<void> {
    const standing: Record<string, string> = {};
    for (const [name, check] of this.#loops) {
      try {
        await check();
      } catch (error) {
        standing[name] = (error as Error).message;
      }
    }
    this.#standing = standing;
  }

  /** @returns whether this process should live on, and which of its loops stand still; one that drains is left to end */
  liveness(): { alive: boolean; standing: Record<string, string> } {
    const alive = this.#state === "draining" || Object.keys(this.#standing).length === 0;
    return { alive, standing: this.#standing };
  }

  /** @returns whether this process can take work now, and the outcome of each check */
  async readiness(): Promise<{ ready: boolean; state: string; checks: Record<string, string> }> {
    const entries = await Promise.all(
      [...this.#checks].map(async ([name, check]) => {
        let timer: NodeJS.Timeout | undefined;
        const timeout = new Promise((_, reject) => {
          timer = setTimeout(() => reject(new Error(`no answer in ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
        });
        try {
          await Promise.race([check(), timeout]);
          return [name, "ok"] as const;
        } catch (error) {
          return [name, (error as Error).message || "failed"] as const;
        } finally {
          clearTimeout(timer);
        }
      }),
    );
    const isWell = this.liveness().alive && entries.every(([, outcome]) => outcome === "ok");
    const checks = { ...Object.fromEntries(entries), ...this.#standing };
    return { ready: this.#state === "serving" && isWell, state: this.#state, checks };
  }
}

/**
 * Watches the loops of a process, since neither Docker nor a port that answers finds out that one stands still.
 *
 * @param onDead called once, when one does
 * @returns ends the watch
 */
export function watchLoops(health: Health, onDead: (error: Error) => void, intervalMs = LOOK_INTERVAL_MS): () => void {
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    await health.lookAtLoops();
    const { alive, standing } = health.liveness();
    if (!alive) return onDead(new Error(`stands still: ${describe(standing)}`));
    if (timer !== undefined) timer = setTimeout(look, intervalMs).unref();
  };
  timer = setTimeout(look, intervalMs).unref();
  return () => {
    clearTimeout(timer);
    timer = undefined;
  };
}

const describe = (standing: Record<string, string>) =>
  Object.entries(standing)
    .map(([name, reason]) => `${name}: ${reason}`)
    .join("; ");

/**
 * The internal port that nginx does not expose: `/startupz`, `/livez`, `/readyz` and Prometheus' `/metrics`.
 *
 * @returns the listening server
 */
export async function serveInternal(options: {
  host: string;
  port: number;
  health: Health;
  registry: Registry;
}): Promise<Server> {
  const server = createServer(async (request, response) => {
    const reply = (status: number, type: string, body: string) =>
      response.writeHead(status, { "content-type": type }).end(body);
    try {
      switch (request.url) {
        case "/startupz": {
          const { hasStarted } = options.health;
          return reply(hasStarted ? 200 : 503, "text/plain", hasStarted ? "started\n" : "not started\n");
        }
        case "/livez": {
          const { alive, standing } = options.health.liveness();
          return reply(alive ? 200 : 503, "text/plain", alive ? "ok\n" : `${describe(standing)}\n`);
        }
        case "/readyz": {
          const readiness = await options.health.readiness();
          return reply(readiness.ready ? 200 : 503, "application/json", `${JSON.stringify(readiness)}\n`);
        }
        case "/metrics":
          return reply(200, options.registry.contentType, await options.registry.metrics());
        default:
          return reply(404, "text/plain", "try /startupz, /livez, /readyz or /metrics\n");
      }
    } catch (error) {
      return reply(500, "text/plain", `${(error as Error).message}\n`);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  return server;
}
