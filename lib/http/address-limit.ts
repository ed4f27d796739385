import { createMiddleware } from "hono/factory";
import type { RateLimiter } from "../rate-limiter.ts";
import type { HttpEnv } from "./app.ts";
import { clientOf } from "./client.ts";

/**
 * @param limiter undefined where network addresses are not limited
 * @returns middleware that takes one from what the client's network address may do; else 429 `too_many_attempts`
 */
export function limitByAddress(limiter: RateLimiter | undefined) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const { address } = clientOf(c);
    if (limiter !== undefined && address !== "") await limiter.take(address);
    await next();
  });
}
