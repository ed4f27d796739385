import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { backoffMs } from "../backoff.ts";
import { unavailable } from "../errors.ts";
import type { Logger } from "../telemetry/log.ts";

const REFRESH_INTERVAL_MS = 5 * 60_000;
/** An unknown `kid` makes us look again, but a flood of forged ones must not flood Users. */
const UNKNOWN_KEY_COOLDOWN_MS = 10_000;
const FETCH_TIMEOUT_MS = 2_000;

export interface JwksClient {
  getKey: JWTVerifyGetKey;
  /** Rejects while no keys have been fetched yet. */
  check(): Promise<void>;
  close(): void;
}

/**
 * Public keys of Users, fetched in the background and kept when Users can't be reached, so that verifying a token
 * never waits for the network once the keys are here. (jose's own remote set forgets its keys when a refresh fails.)
 *
 * @param url the JWKS document
 */
export function createJwksClient(url: string, log: Logger): JwksClient {
  let keys: ReturnType<typeof createLocalJWKSet> | undefined;
  let fetchedAt = 0;
  let fetching: Promise<void> | undefined;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const load = async () => {
    const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    keys = createLocalJWKSet((await response.json()) as JSONWebKeySet);
  };
  const refresh = (): Promise<void> => {
    fetching ??= load()
      .then(
        () => {
          failures = 0;
        },
        (error: unknown) => {
          failures += 1;
          log.warn({ err: error, failures }, "jwks fetch failed");
        },
      )
      .finally(() => {
        fetchedAt = Date.now();
        fetching = undefined;
        clearTimeout(timer);
        const waitMs = failures > 0 ? backoffMs(failures, { baseMs: 100, maxMs: 5_000 }) : REFRESH_INTERVAL_MS;
        if (!closed) timer = setTimeout(refresh, waitMs).unref();
      });
    return fetching;
  };
  void refresh();

  return {
    getKey: async (header, token) => {
      if (keys === undefined) await refresh();
      if (keys === undefined) throw unavailable("keys_unavailable", "The service that issues tokens", undefined);
      try {
        return await keys(header, token);
      } catch (error) {
        const mayBeNew = error instanceof errors.JWKSNoMatchingKey && Date.now() - fetchedAt > UNKNOWN_KEY_COOLDOWN_MS;
        if (!mayBeNew) throw error;
        await refresh();
        return keys(header, token);
      }
    },
    async check() {
      if (keys === undefined) throw new Error("no keys fetched yet");
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
