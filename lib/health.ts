import { createServer, type Server } from "node:http";
import type { Registry } from "prom-client";

/** A dependency check: resolves when the dependency answers, rejects when it doesn't. */
export type Check = () => Promise<unknown>;

/** Longest time in milliseconds that one check may take before it counts as failed. */
const CHECK_TIMEOUT_MS = 2_000;

/** What `/readyz` says: ready only when started, not draining, and every check passes. */
export class Health {
  readonly #checks = new Map<string, Check>();
  #state: "starting" | "serving" | "draining" = "starting";

  addCheck(name: string, check: Check): void {
    this.#checks.set(name, check);
  }

  markServing(): void {
    if (this.#state === "starting") this.#state = "serving";
  }

  markDraining(): void {
    this.#state = "draining";
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
    const ready = this.#state === "serving" && entries.every(([, outcome]) => outcome === "ok");
    return { ready, state: this.#state, checks: Object.fromEntries(entries) };
  }
}

/**
 * The internal port that nginx does not expose: `/livez`, `/readyz` and Prometheus' `/metrics`.
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
        case "/livez":
          return reply(200, "text/plain", "ok\n");
        case "/readyz": {
          const readiness = await options.health.readiness();
          return reply(readiness.ready ? 200 : 503, "application/json", `${JSON.stringify(readiness)}\n`);
        }
        case "/metrics":
          return reply(200, options.registry.contentType, await options.registry.metrics());
        default:
          return reply(404, "text/plain", "try /livez, /readyz or /metrics\n");
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
