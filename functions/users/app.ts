import type { JSONWebKeySet } from "jose";
import type { UsersContext } from "../../domain/users/context.ts";
import type { TokenSigner, TokenVerifier } from "../../lib/auth/tokens.ts";
import { createHttpApp, type HttpApp, type HttpAppDeps } from "../../lib/http/app.ts";
import { addDocs } from "../../lib/http/docs.ts";
import { registerJwksRoute } from "./jwks.ts";
import { registerLogInRoute } from "./log-in.ts";
import { registerLogOutRoutes } from "./log-out.ts";
import { registerProfileRoute } from "./profile.ts";
import { registerRefreshRoute } from "./refresh.ts";
import { registerPlayerRoute } from "./register-player.ts";
import { registerStaffRoute } from "./register-staff.ts";
import { registerTransactionRoutes } from "./transactions.ts";
import { registerUserStatusRoute } from "./user-status.ts";
import { registerUserRoutes } from "./users.ts";

export interface UsersAppDeps extends HttpAppDeps {
  ctx: UsersContext;
  signToken: TokenSigner;
  verifyToken: TokenVerifier;
  /** the public keys that verify what `signToken` signs */
  jwks: JSONWebKeySet;
  /** whether the refresh cookie needs TLS */
  secureCookies: boolean;
}

/** The Users service as HTTP: reads no environment, opens no port. */
export function createApp(deps: UsersAppDeps): HttpApp {
  const app = createHttpApp(deps);
  registerPlayerRoute(app, deps);
  registerLogInRoute(app, deps);
  registerRefreshRoute(app, deps);
  registerLogOutRoutes(app, deps);
  registerStaffRoute(app, deps);
  // Before `users/{id}`, so that `me` is not taken for an id.
  registerProfileRoute(app, deps);
  registerUserRoutes(app, deps);
  registerUserStatusRoute(app, deps);
  registerTransactionRoutes(app, deps);
  registerJwksRoute(app, deps);
  addDocs(app, {
    service: "users",
    title: "Users",
    description: "Accounts, sessions and balances.",
    currency: deps.ctx.currency,
  });
  return app;
}
