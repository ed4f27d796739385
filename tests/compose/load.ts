import { setTimeout as delay } from "node:timers/promises";
import type { Account } from "../support/api.ts";
import { freshEmail, PASSWORD } from "../support/api.ts";
import { servers } from "../support/servers.ts";

/** Requests under way at once, and the pause of each client between two: about 60 requests per second together. */
const CLIENTS = 6;
const PAUSE_MS = 100;
/** One request in so many registers somebody, which costs Users a password hash. */
const REGISTER_EVERY = 20;

export interface Load {
  /** Ends it. @returns how many requests were answered, and a line for each that failed */
  stop(): Promise<{ answered: number; failures: string[] }>;
}

/** Players who read and register without a pause; what is no 2xx is a failure. */
export function startLoad(player: Account): Load {
  const failures: string[] = [];
  let answered = 0;
  let isOver = false;
  const read = { headers: { authorization: `Bearer ${player.token}` } };
  const reads = [
    "/users/api/v1/users/me",
    `/promotions/api/v1/promotions/players/${player.id}`,
    "/notifications/api/v1/notifications",
  ];
  const send = (turn: number): [string, RequestInit] => {
    if (turn % REGISTER_EVERY !== 0) return [reads[turn % reads.length] ?? "/", read];
    const body = JSON.stringify({ email: freshEmail(), password: PASSWORD });
    return ["/users/api/v1/auth/register", { method: "POST", body, headers: { "content-type": "application/json" } }];
  };
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    for (let turn = client; !isOver; turn++) {
      const [path, request] = send(turn);
      const describe = (what: unknown) => `${new Date().toISOString()} ${path}: ${what}`;
      try {
        const response = await fetch(servers.url + path, { ...request, signal: AbortSignal.timeout(30_000) });
        const body = await response.text();
        if (response.ok) answered++;
        else failures.push(describe(`${response.status} ${body}`));
      } catch (error) {
        failures.push(describe((error as Error).cause ?? error));
      }
      await delay(PAUSE_MS);
    }
  });
  return {
    async stop() {
      isOver = true;
      await Promise.all(clients);
      return { answered, failures };
    },
  };
}
