import type { ClaimContext } from "../../domain/promotions/context.ts";
import type { TokenVerifier } from "../../lib/auth/tokens.ts";
import { createHttpApp, type HttpApp, type HttpAppDeps } from "../../lib/http/app.ts";
import { addDocs } from "../../lib/http/docs.ts";
import { registerAssignRoute } from "./assign.ts";
import { registerClaimRoute } from "./claim.ts";
import { registerPlayerPromotionRoutes } from "./player-promotions.ts";
import { registerPromotionRoutes } from "./promotions.ts";

export interface PromotionsAppDeps extends HttpAppDeps {
  verifyToken: TokenVerifier;
  ctx: ClaimContext;
}

/** Bytes: 10,000 ids of 39 bytes, and room for white space. */
const ASSIGN_BODY_LIMIT_BYTES = 1024 * 1024;

/** The Promotions service as HTTP: reads no environment, opens no port. */
export function createApp(deps: PromotionsAppDeps): HttpApp {
  const app = createHttpApp(deps, {
    bodyLimits: { "/api/v1/promotions/{id}/assign": ASSIGN_BODY_LIMIT_BYTES },
  });
  // First, so that `players` and `claim` are not taken for ids.
  registerPlayerPromotionRoutes(app, deps);
  registerClaimRoute(app, deps);
  registerPromotionRoutes(app, deps);
  registerAssignRoute(app, deps);
  addDocs(app, {
    service: "promotions",
    title: "Promotions",
    description: "Creates, lists and assigns promotions; players claim them.",
    currency: deps.ctx.currency,
  });
  return app;
}
