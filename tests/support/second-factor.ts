import { TOTP } from "otpauth";
import { type Account, api } from "./api.ts";

const STEP_MS = 30_000;

/**
 * What an authenticator app shows.
 *
 * @param steps of 30 s from now; the next code is good already, so two can be used one after the other without waiting
 */
export const codeOf = (secret: string, steps = 0): string =>
  new TOTP({ secret }).generate({ timestamp: Date.now() + steps * STEP_MS });

/** @returns six digits that none of the codes around now is */
export function wrongCodeOf(secret: string): string {
  const right = new Set([-2, -1, 0, 1, 2].map((steps) => codeOf(secret, steps)));
  return ["000000", "111111", "222222", "333333", "444444", "555555"].find((code) => !right.has(code)) as string;
}

/** Sets up a second factor for an account that has just logged in. @returns its secret */
export async function enrolSecondFactor({ token }: Account): Promise<string> {
  const { secret } = (await api("POST /users/api/v1/auth/totp", { token, json: {} })).body;
  const { status, body } = await api("POST /users/api/v1/auth/totp/confirm", { token, json: { code: codeOf(secret) } });
  if (status !== 200) throw new Error(`confirming answered ${status}: ${JSON.stringify(body)}`);
  return secret;
}
