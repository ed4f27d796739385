import { z } from "zod";
import { AppError } from "../../../lib/errors.ts";
import { storable } from "../../../lib/text.ts";
import { canonicalEmail, EMAIL_LENGTH_MAX } from "../accounts/email.ts";
import { isCommonPassword } from "./common-passwords.ts";
import { normalizePassword } from "./passwords.ts";

/** Code points of the normalised password. Long ones cost nothing, since the hash's cost doesn't depend on the length. */
export const PASSWORD_LENGTH_MIN = 12;
export const PASSWORD_LENGTH_MAX = 128;
/** UTF-16 units as sent: room for every way to write PASSWORD_LENGTH_MAX, and a bound for what is normalised. */
const SENT_LENGTH_MAX = 1_024;

const address = z
  .string()
  .trim()
  .max(EMAIL_LENGTH_MAX, { abort: true, error: `must have at most ${EMAIL_LENGTH_MAX} characters` });

/** An e-mail address that somebody chooses, in the form in which it is stored. Addresses are compared regardless of case. */
export const emailSchema = address.transform((text, ctx) => {
  const email = canonicalEmail(text);
  if (email !== undefined) return email;
  ctx.addIssue("must be an e-mail address");
  return z.NEVER;
});

/** An e-mail address that somebody presents, as they write it; also of a kind that is not given to anybody any more. */
export const presentedEmailSchema = address.refine(
  (text) => canonicalEmail(text) !== undefined || z.regexes.email.test(text),
  "must be an e-mail address",
);

const sentPassword = storable(
  z.string().max(SENT_LENGTH_MAX, { abort: true, error: `must have at most ${PASSWORD_LENGTH_MAX} characters` }),
);

/** A password that someone presents: whether it is the right one is for the hash to say. */
export const presentedPasswordSchema = sentPassword.min(1, "must not be empty");

/** A password that someone chooses. */
export const newPasswordSchema = sentPassword
  .refine((text) => lengthOf(text) >= PASSWORD_LENGTH_MIN, `must have at least ${PASSWORD_LENGTH_MIN} characters`)
  .refine((text) => lengthOf(text) <= PASSWORD_LENGTH_MAX, `must have at most ${PASSWORD_LENGTH_MAX} characters`)
  .refine((text) => !isRepeated(text), "must not be a few characters again and again")
  .refine((text) => !isSequence(text), "must not be a sequence such as 123456789012 or abcdefghijkl")
  .refine((text) => !isCommonPassword(text), "must not be one of the most common passwords");

/** Characters that, repeated, are no more of a password than they are once. */
const REPEATED_UNIT_MAX = 4;

function isRepeated(password: string): boolean {
  const units = [...normalizePassword(password).toLowerCase()];
  return Array.from({ length: REPEATED_UNIT_MAX }, (_, index) => index + 1).some((length) =>
    units.every((unit, index) => unit === units[index % length]),
  );
}

/** Whether each character follows the one before in the alphabet, or each precedes it; after 9 comes 0. */
function isSequence(password: string): boolean {
  const points = [...normalizePassword(password).toLowerCase()].map((unit) => unit.codePointAt(0) as number);
  const follows = (from = 0, to = 0) => to === from + 1 || (from === DIGIT_NINE && to === DIGIT_ZERO);
  const pairs = points.slice(1).map((point, index) => [points[index], point] as const);
  return pairs.every(([from, to]) => follows(from, to)) || pairs.every(([from, to]) => follows(to, from));
}
const DIGIT_ZERO = 0x30;
const DIGIT_NINE = 0x39;

/** @returns whether the password is the address, or the part before its @ with at most a few characters more */
export function isOwnAddress(password: string, email: string): boolean {
  const [text, address] = [normalizePassword(password).toLowerCase(), email.toLowerCase()];
  const name = address.slice(0, address.lastIndexOf("@"));
  return text === address || (text.startsWith(name) && text.length - name.length <= OWN_NAME_EXTRA_MAX);
}
export const OWN_ADDRESS_ERROR = "must not be the address, or its beginning";
/** Such as a year. */
const OWN_NAME_EXTRA_MAX = 4;

/** @returns the error for a password that `isOwnAddress`, where the address is not sent along with it */
export const passwordIsAddress = () =>
  new AppError("invalid_argument", "password_is_address", "The new password is your address, or its beginning.");

const lengthOf = (password: string): number => [...normalizePassword(password)].length;
