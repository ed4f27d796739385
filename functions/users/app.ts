import { createHttpApp, type HttpApp, type HttpAppDeps } from "../../lib/http/app.ts";
import { type AuditDeps, registerAuditRoute } from "../../lib/http/audit.ts";
import { addDocs } from "../../lib/http/docs.ts";
import { type AcceptInvitationDeps, registerAcceptInvitationRoute } from "./accounts/accept-invitation.ts";
import { type ChangeEmailDeps, registerChangeEmailRoute } from "./accounts/change-email.ts";
import { type ProfileDeps, registerProfileRoute } from "./accounts/profile.ts";
import { type RegisterPlayerDeps, registerPlayerRoute } from "./accounts/register-player.ts";
import { type RegisterStaffDeps, registerStaffRoute } from "./accounts/register-staff.ts";
import { registerUserStatusRoute, type UserStatusDeps } from "./accounts/user-status.ts";
import { registerUserRoutes, type UserDeps } from "./accounts/users.ts";
import { registerVerificationRoute, type VerificationDeps } from "./accounts/verification.ts";
import { registerVerifyEmailRoute, type VerifyEmailDeps } from "./accounts/verify-email.ts";
import { type LedgerExportDeps, registerLedgerExportRoute } from "./ledger/export.ts";
import { registerTransactionRoutes, type TransactionDeps } from "./ledger/transactions.ts";
import { type ChangePasswordDeps, registerChangePasswordRoute } from "./passwords/change-password.ts";
import { type ForgotPasswordDeps, registerForgotPasswordRoute } from "./passwords/forgot-password.ts";
import { type ResetPasswordDeps, registerResetPasswordRoute } from "./passwords/reset-password.ts";
import { type OwnFactorDeps, registerOwnFactorRoutes } from "./second-factors/own-factor.ts";
import { type ResetFactorDeps, registerResetFactorRoute } from "./second-factors/reset-factor.ts";
import { type JwksDeps, registerJwksRoute } from "./sessions/jwks.ts";
import { type LogInDeps, registerLogInRoute } from "./sessions/log-in.ts";
import { type LogOutDeps, registerLogOutRoutes } from "./sessions/log-out.ts";
import { type RefreshDeps, registerRefreshRoute } from "./sessions/refresh.ts";
import { registerSecondFactorRoute, type SecondFactorDeps } from "./sessions/second-factor.ts";
import { registerSessionRoutes, type SessionDeps } from "./sessions/sessions.ts";

/** What its routes need, all together. */
export type UsersAppDeps = HttpAppDeps &
  UserDeps &
  TransactionDeps &
  LedgerExportDeps &
  UserStatusDeps &
  VerificationDeps &
  ProfileDeps &
  RegisterStaffDeps &
  AcceptInvitationDeps &
  ChangeEmailDeps &
  VerifyEmailDeps &
  RegisterPlayerDeps &
  JwksDeps &
  LogOutDeps &
  SessionDeps &
  ChangePasswordDeps &
  ForgotPasswordDeps &
  ResetPasswordDeps &
  LogInDeps &
  SecondFactorDeps &
  OwnFactorDeps &
  ResetFactorDeps &
  RefreshDeps &
  AuditDeps;

/** The Users service as HTTP: reads no environment, opens no port. */
export function createApp(deps: UsersAppDeps): HttpApp {
  const app = createHttpApp(deps);
  registerPlayerRoute(app, deps);
  registerLogInRoute(app, deps);
  registerSecondFactorRoute(app, deps);
  registerRefreshRoute(app, deps);
  registerLogOutRoutes(app, deps);
  registerSessionRoutes(app, deps);
  registerChangePasswordRoute(app, deps);
  registerChangeEmailRoute(app, deps);
  registerVerifyEmailRoute(app, deps);
  registerOwnFactorRoutes(app, deps);
  registerForgotPasswordRoute(app, deps);
  registerResetPasswordRoute(app, deps);
  registerStaffRoute(app, deps);
  registerAcceptInvitationRoute(app, deps);
  // Before `users/{id}`, so that `me` is not taken for an id.
  registerProfileRoute(app, deps);
  registerUserRoutes(app, deps);
  registerUserStatusRoute(app, deps);
  registerVerificationRoute(app, deps);
  registerResetFactorRoute(app, deps);
  registerTransactionRoutes(app, deps);
  registerLedgerExportRoute(app, deps);
  registerJwksRoute(app, deps);
  registerAuditRoute(app, deps, "`database_unavailable`");
  addDocs(app, {
    service: "users",
    title: "Users",
    description: "Accounts, sessions and balances.",
    currency: deps.ctx.currency,
  });
  return app;
}
