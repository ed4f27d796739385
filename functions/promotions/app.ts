import { createHttpApp, type HttpApp, type HttpAppDeps } from "../../lib/http/app.ts";
import { type AuditDeps, registerAuditRoute } from "../../lib/http/audit.ts";
import { addDocs } from "../../lib/http/docs.ts";
import { type AssignmentDeps, registerAssignmentRoutes } from "./assignments.ts";
import { type ClaimDeps, registerClaimRoute } from "./claims.ts";
import { type OptInDeps, registerOptInRoute } from "./opt-in.ts";
import { type PlayerPromotionDeps, registerPlayerPromotionRoutes } from "./players.ts";
import { type PromotionDeps, registerPromotionRoutes } from "./promotions.ts";
import { registerStatisticsRoute, type StatisticsDeps } from "./statistics.ts";

/** What its routes need, all together. */
export type PromotionsAppDeps = HttpAppDeps &
  PlayerPromotionDeps &
  AssignmentDeps &
  PromotionDeps &
  StatisticsDeps &
  ClaimDeps &
  OptInDeps &
  AuditDeps;

/** Bytes: 10,000 ids of 39 bytes, and room for white space. */
const ASSIGN_BODY_LIMIT_BYTES = 1024 * 1024;

/** The Promotions service as HTTP: reads no environment, opens no port. */
export function createApp(deps: PromotionsAppDeps): HttpApp {
  const app = createHttpApp(deps, {
    bodyLimits: { "/api/v1/promotions/{id}/assign": ASSIGN_BODY_LIMIT_BYTES },
  });
  // First, so that `players`, `claim` and `opt-in` are not taken for ids.
  registerPlayerPromotionRoutes(app, deps);
  registerClaimRoute(app, deps);
  registerOptInRoute(app, deps);
  registerPromotionRoutes(app, deps);
  registerStatisticsRoute(app, deps);
  registerAssignmentRoutes(app, deps);
  registerAuditRoute(app, deps, "`database_unavailable`, `keys_unavailable`");
  addDocs(app, {
    service: "promotions",
    title: "Promotions",
    description:
      "Creates, lists and assigns promotions; players claim them, and have those that they know the code of.",
    currency: deps.ctx.currency,
  });
  return app;
}
