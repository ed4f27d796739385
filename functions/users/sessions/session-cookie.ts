import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { AppError } from "../../../lib/errors.ts";
import type { HttpContext } from "../../../lib/http/app.ts";

/** Its name where there is no TLS, which is on the loopback only; and everywhere before there was the other one. */
export const REFRESH_COOKIE = "refreshToken";
/** Its name where TLS is. Browsers take one that begins like this over TLS only, so nobody on the way can plant another's. */
export const SECURE_REFRESH_COOKIE = "__Secure-refreshToken";

/** Only the auth routes see the cookie, as clients reach them: through nginx. */
const PATH = "/users/api/v1/auth";
const LOOPBACK_HOSTS = ["localhost", "127.0.0.1"];

/** The refresh token of browsers, in a cookie that scripts and other sites can't use. */
export interface RefreshCookies {
  /** @returns the refresh token that the browser sent, if it did, and not at another site's behest */
  find(c: HttpContext): string | undefined;
  /** As `find`. @throws AppError `cross_site_request` for one that was sent at another site's behest */
  read(c: HttpContext): string | undefined;
  /** Gives the browser its refresh token for as long as the session lasts. */
  set(c: HttpContext, refreshToken: string, expiresAt: Date): void;
  /** Takes the refresh token from the browser. */
  clear(c: HttpContext): void;
}

/** @param publicUrl where clients reach the system. Cookies need TLS always, but on plain-http loopback, where there is none */
export function createRefreshCookies(publicUrl: string): RefreshCookies {
  const { protocol, hostname, origin } = new URL(publicUrl);
  const secure = !(protocol === "http:" && LOOPBACK_HOSTS.includes(hostname));
  const name = secure ? SECURE_REFRESH_COOKIE : REFRESH_COOKIE;
  const attributes = { path: PATH, httpOnly: true, sameSite: "Strict", secure } as const;

  const clearOld = (c: HttpContext) => {
    if (secure && getCookie(c, REFRESH_COOKIE) !== undefined) deleteCookie(c, REFRESH_COOKIE, attributes);
  };
  const sentBy = (c: HttpContext) => getCookie(c, name) ?? (secure ? getCookie(c, REFRESH_COOKIE) : undefined);
  return {
    find: (c) => (isOwnSite(c, origin) ? sentBy(c) : undefined),
    read(c) {
      const token = sentBy(c);
      if (token !== undefined && !isOwnSite(c, origin)) {
        throw new AppError(
          "permission_denied",
          "cross_site_request",
          "Another site made the browser send this; open a session from the casino's own pages.",
        );
      }
      return token;
    },
    set(c, refreshToken, expiresAt) {
      const maxAge = Math.max(0, Math.floor((expiresAt.getTime() - Date.now()) / 1000));
      setCookie(c, name, refreshToken, { ...attributes, maxAge });
      clearOld(c);
    },
    clear(c) {
      deleteCookie(c, name, attributes);
      clearOld(c);
    },
  };
}

/** By what the browser says of it (Fetch Metadata), which no script can set; an old one says only where its page is from. */
function isOwnSite(c: HttpContext, ownOrigin: string): boolean {
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin" || site === "none";
  const origin = c.req.header("origin");
  return origin === undefined || origin === ownOrigin;
}
