import { createHttpApp, type HttpApp, type HttpAppDeps } from "../../lib/http/app.ts";
import { addDocs } from "../../lib/http/docs.ts";
import { type JwksDeps, registerJwksRoute } from "./jwks.ts";
import { type LogInDeps, registerLogInRoute } from "./log-in.ts";
import { type LogOutDeps, registerLogOutRoutes } from "./log-out.ts";
import { type ProfileDeps, registerProfileRoute } from "./profile.ts";
import { type RefreshDeps, registerRefreshRoute } from "./refresh.ts";
import { type RegisterPlayerDeps, registerPlayerRoute } from "./register-player.ts";
import { type RegisterStaffDeps, registerStaffRoute } from "./register-staff.ts";
import { registerTransactionRoutes, type TransactionDeps } from "./transactions.ts";
import { registerUserStatusRoute, type UserStatusDeps } from "./user-status.ts";
import { registerUserRoutes, type UserDeps } from "./users.ts";

/** What its routes need, all together. */
export type UsersAppDeps = HttpAppDeps &
  UserDeps &
  TransactionDeps &
  UserStatusDeps &
  ProfileDeps &
  RegisterStaffDeps &
  RegisterPlayerDeps &
  JwksDeps &
  LogOutDeps &
  LogInDeps &
  RefreshDeps;

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
