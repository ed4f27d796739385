import { AppError } from "../errors.ts";

/** @returns the error for a role that a route, or a change, is not for */
export const roleNotAllowed = (allowed: string) =>
  new AppError("permission_denied", "role_not_allowed", `This is for ${allowed} accounts only.`);
