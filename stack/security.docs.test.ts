import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { GUESSES_PER_ADDRESS, GUESSES_PER_PLAYER } from "../domain/promotions/assignments/code-guesses.ts";
import { MAILS_PER_ADDRESS } from "../domain/users/mails/queue-mail.ts";
import { WRONG_CODES_PER_ACCOUNT } from "../domain/users/second-factors/second-factors.ts";
import { FAILURES_PER_ACCOUNT } from "../domain/users/sessions/login-attempts.ts";
import {
  LOGINS_PER_ADDRESS,
  MAILS_PER_NETWORK_ADDRESS,
  REGISTRATIONS_PER_ADDRESS,
} from "../functions/users/address-limits.ts";
import { CLIENT_FRAME_BYTES_MAX } from "../gateway/frames.ts";
import { ACCESS_TOKEN_TTL_SECONDS, STAFF_ACCESS_TOKEN_TTL_SECONDS } from "../lib/auth/principal.ts";
import { ACCESS_TOKEN_LENGTH_MAX } from "../lib/auth/tokens.ts";
import { AMOUNT_MINOR_MAX } from "../lib/http/schemas.ts";
import { ROOT } from "./plan/layout.ts";

const read = (file: string) => readFileSync(path.join(ROOT, file), "utf8");
/** One sentence's line breaks are the formatter's. */
const page = read("docs/security.md").replace(/\s+/g, " ");

/** @returns what the first group of a pattern matches in a source */
function inSource(file: string, pattern: RegExp): string {
  const found = pattern.exec(read(file))?.[1];
  if (found === undefined) throw new Error(`${file} has nothing like ${pattern}`);
  return found;
}

const count = (value: number) => value.toLocaleString("en");
const zone = (name: string) => inSource("nginx/limit-zones.conf", new RegExp(`zone=${name}:\\S+ rate=(\\d+)r/s;`));
const burst = (name: string) => inSource("nginx/limits.conf", new RegExp(`zone=${name} burst=(\\d+) nodelay;`));

test.each<[what: string, sentence: () => string]>([
  [
    "access tokens' life",
    () =>
      `valid for ${ACCESS_TOKEN_TTL_SECONDS / 60} minutes, those of staff for ${STAFF_ACCESS_TOKEN_TTL_SECONDS / 60}`,
  ],
  ["access tokens' length", () => `One of more than ${count(ACCESS_TOKEN_LENGTH_MAX)} characters is refused`],
  [
    "clocks",
    () =>
      `with ${inSource("lib/auth/principal.ts", /CLOCK_TOLERANCE_SECONDS = (\d+);/)} seconds for clocks that differ`,
  ],
  [
    "sessions' life",
    () =>
      `A session ends ${inSource("domain/users/sessions/store.ts", /LIFETIME_MS = (\d+) \* 24 \*/)} days after login`,
  ],
  [
    "idle sessions",
    () => {
      const lifetime = (pattern: RegExp) => inSource("domain/users/sessions/store.ts", pattern);
      const days = lifetime(/PLAYER_IDLE_LIFETIME_MS = (\d+) \* 24 \*/);
      return `after ${days} days, one of staff after ${lifetime(/STAFF_IDLE_LIFETIME_MS = (\d+) \*/)} hours`;
    },
  ],
  [
    "the second tab",
    () => `for a second tab for ${inSource("domain/users/sessions/store.ts", /GRACE_MS = (\d+)_000;/)} seconds`,
  ],
  [
    "the cookie",
    () =>
      `\`Path=${inSource("functions/users/sessions/session-cookie.ts", /const PATH = "([^"]+)";/)}\`, and \`Secure\``,
  ],
  [
    "passwords' hashes",
    () =>
      `up to ${inSource("domain/users/passwords/passwords.ts", /waitingMax: (\d+)/)} wait, and more are answered with 503`,
  ],
  [
    "passwords' length",
    () =>
      `${inSource("domain/users/passwords/credentials.ts", /PASSWORD_LENGTH_MIN = (\d+);/)} to ` +
      `${inSource("domain/users/passwords/credentials.ts", /PASSWORD_LENGTH_MAX = (\d+);/)} characters`,
  ],
  ["amounts", () => `whole numbers from 1 to ${count(AMOUNT_MINOR_MAX)} minor units`],
  ["frames", () => `JSON text of at most ${CLIENT_FRAME_BYTES_MAX / 1024} KiB`],
  [
    "rate limits",
    () =>
      `nginx takes ${zone("requests")} requests a second from one address, and ${zone("credentials")} to login, ` +
      `its second step, register and entering a promotion code, with bursts of ${burst("requests")} and ${burst("credentials")} above that, and ` +
      `${inSource("nginx/limits.conf", /limit_conn under_way (\d+);/)} requests at once`,
  ],
  [
    "guessing at an account",
    () => {
      const { points, windowSeconds } = FAILURES_PER_ACCOUNT;
      return `${points} failed logins in ${windowSeconds / 60} minutes are looked at`;
    },
  ],
  [
    "guessing at a second factor",
    () => {
      const { "second-factor": short, "second-factor-day": day } = WRONG_CODES_PER_ACCOUNT;
      expect(day.windowSeconds).toBe(86_400);
      return `${short.points} wrong codes in ${short.windowSeconds / 60} minutes, and ${day.points} a day, are looked at`;
    },
  ],
  [
    "guessing at a promotion code",
    () => {
      expect(GUESSES_PER_ADDRESS.windowSeconds).toBe(GUESSES_PER_PLAYER.windowSeconds);
      const minutes = GUESSES_PER_PLAYER.windowSeconds / 60;
      return `${GUESSES_PER_PLAYER.points} wrong codes in ${minutes} minutes are looked up, and of one network address ${GUESSES_PER_ADDRESS.points}`;
    },
  ],
  [
    "challenges",
    () =>
      `good once and for ${Number(inSource("domain/users/sessions/challenges.ts", /CHALLENGE_SECONDS = (\d+);/)) / 60} minutes`,
  ],
  [
    "limits of mails",
    () => {
      expect([MAILS_PER_ADDRESS.windowSeconds, MAILS_PER_NETWORK_ADDRESS.windowSeconds]).toEqual([3_600, 600]);
      return `${MAILS_PER_ADDRESS.points} an hour to one address, and ${MAILS_PER_NETWORK_ADDRESS.points} in 10 minutes`;
    },
  ],
  [
    "limits by address",
    () => {
      expect([LOGINS_PER_ADDRESS.windowSeconds, REGISTRATIONS_PER_ADDRESS.windowSeconds]).toEqual([60, 600]);
      return `${LOGINS_PER_ADDRESS.points} logins a minute and ${REGISTRATIONS_PER_ADDRESS.points} registrations in 10`;
    },
  ],
  [
    "TLS",
    () => {
      const versions = inSource("nginx/compose.tls.conf", /ssl_protocols ([^;]+);/).replaceAll("TLSv", "");
      expect(inSource("nginx/compose.tls.conf", /http2 (on);/)).toBe("on");
      return `nginx speaks HTTPS (TLS ${versions.replace(" ", " and ")}, HTTP/2)`;
    },
  ],
  [
    "HSTS",
    () => {
      const seconds = Number(inSource("nginx/compose.tls.conf", /Strict-Transport-Security "max-age=(\d+)"/));
      expect(seconds).toBe(365 * 86_400);
      return "sends `Strict-Transport-Security` of a year";
    },
  ],
])("docs/security.md says what the sources do: %s", (_what, sentence) => {
  expect(page).toContain(sentence());
});

test("docs/security.md names the headers that nginx sets on every answer", () => {
  const names = [...read("nginx/locations.conf").matchAll(/^add_header (\S+) /gm)].map(([, name]) => name as string);
  expect(names.length).toBeGreaterThan(5);
  const [sentence = ""] = /nginx sets on every answer:.*?\. Services set/.exec(page) ?? [];
  for (const name of names) expect(sentence).toContain(`\`${name}`);
});

test("docs/security.md names tests that there are", () => {
  const named = [...read("docs/security.md").matchAll(/`([\w/-]+\.test\.ts)`/g)].map(([, file]) => file as string);
  expect(named.length).toBeGreaterThan(20);
  for (const file of named) expect(existsSync(path.join(ROOT, file)), file).toBe(true);
});
