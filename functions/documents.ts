import type { ClaimContext, OptInContext } from "../domain/promotions/context.ts";
import type { UsersContext } from "../domain/users/context.ts";
import type { HttpApp } from "../lib/http/app.ts";
import { createLogger } from "../lib/telemetry/log.ts";
import { createMetrics } from "../lib/telemetry/metrics.ts";
import { createApp as createNotifications } from "./notifications/app.ts";
import { createApp as createPromotions } from "./promotions/app.ts";
import { createApp as createUsers } from "./users/app.ts";
import { createRefreshCookies } from "./users/sessions/session-cookie.ts";

/**
 * The OpenAPI documents as the services answer them, without any server.
 *
 * @param currency the deployment's, ISO 4217
 * @returns the documents by service
 */
export async function openApiDocuments(currency = "EUR"): Promise<Record<string, unknown>> {
  const common = {
    log: createLogger({ name: "documents", instance: "local", level: "silent" }),
    metrics: createMetrics(),
    // For requests only; nothing here sends one.
    verifyToken: unused,
    signToken: unused,
    jwks: { keys: [] },
    cookies: createRefreshCookies("https://casino.example"),
    addressLimits: {},
    idempotencySecret: "none",
    reportTimeZone: "UTC",
  };
  const apps: Record<string, HttpApp> = {
    users: createUsers({
      ...common,
      exports: { stream: unused, stop: unused },
      exportClient: unused as never,
      ctx: { currency } as UsersContext,
    }),
    promotions: createPromotions({ ...common, ctx: { currency } as ClaimContext & OptInContext }),
    notifications: createNotifications({ ...common, ctx: unused as never }),
  };
  const documents = Object.entries(apps).map(async ([service, app]) => {
    return [service, await (await app.request("/openapi.json")).json()] as const;
  });
  return Object.fromEntries(await Promise.all(documents));
}

function unused(): never {
  throw new Error("the documents need no dependencies");
}
