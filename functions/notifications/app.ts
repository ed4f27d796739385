import type { NotificationsContext } from "../../domain/notifications/context.ts";
import type { TokenVerifier } from "../../lib/auth/tokens.ts";
import { createHttpApp, type HttpApp, type HttpAppDeps } from "../../lib/http/app.ts";
import { addDocs } from "../../lib/http/docs.ts";
import { description } from "./description.ts";
import { registerListRoute } from "./list.ts";
import { registerReadRoutes } from "./read.ts";

export interface NotificationsAppDeps extends HttpAppDeps {
  verifyToken: TokenVerifier;
  ctx: NotificationsContext;
}

/** The Notifications service as HTTP: reads no environment, opens no port. */
export function createApp(deps: NotificationsAppDeps): HttpApp {
  const app = createHttpApp(deps);
  registerListRoute(app, deps);
  registerReadRoutes(app, deps);
  addDocs(app, { service: "notifications", title: "Notifications", description });
  return app;
}
