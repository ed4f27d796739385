import { deleteCookie, setCookie } from "hono/cookie";
import type { HttpContext } from "../../../lib/http/app.ts";

export const REFRESH_COOKIE = "refreshToken";

/** Only the auth routes see the cookie, as clients reach them: through nginx. */
const PATH = "/users/api/v1/auth";
const LOOPBACK_HOSTS = ["localhost", "127.0.0.1"];

/**
 * @param publicUrl where clients reach the system
 * @returns whether cookies need TLS: always, but on plain-http loopback, where there is none
 */
export function cookiesNeedTls(publicUrl: string): boolean {
  const { protocol, hostname } = new URL(publicUrl);
  return !(protocol === "http:" && LOOPBACK_HOSTS.includes(hostname));
}

const attributes = (secure: boolean) => ({ path: PATH, httpOnly: true, sameSite: "Strict", secure }) as const;

/** Gives the browser its refresh token for as long as the session lasts. */
export function setRefreshCookie(c: HttpContext, refreshToken: string, expiresAt: Date, secure: boolean): void {
  const maxAge = Math.max(0, Math.floor((expiresAt.getTime() - Date.now()) / 1000));
  setCookie(c, REFRESH_COOKIE, refreshToken, { ...attributes(secure), maxAge });
}

/** Takes the refresh token from the browser. */
export function clearRefreshCookie(c: HttpContext, secure: boolean): void {
  deleteCookie(c, REFRESH_COOKIE, attributes(secure));
}
