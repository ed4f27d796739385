import { createHttpApp, type HttpApp, type HttpAppDeps } from "../../lib/http/app.ts";
import { addDocs } from "../../lib/http/docs.ts";
import { description } from "./description.ts";
import { type ListDeps, registerListRoute } from "./list.ts";
import { type ReadDeps, registerReadRoutes } from "./read.ts";

/** What its routes need, all together. */
export type NotificationsAppDeps = HttpAppDeps & ListDeps & ReadDeps;

/** The Notifications service as HTTP: reads no environment, opens no port. */
export function createApp(deps: NotificationsAppDeps): HttpApp {
  const app = createHttpApp(deps);
  registerListRoute(app, deps);
  registerReadRoutes(app, deps);
  addDocs(app, { service: "notifications", title: "Notifications", description });
  return app;
}
