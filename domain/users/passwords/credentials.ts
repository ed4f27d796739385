import { z } from "zod";
import { storable } from "../../../lib/text.ts";
import { canonicalEmail, EMAIL_LENGTH_MAX } from "../accounts/email.ts";
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
  .refine((text) => lengthOf(text) <= PASSWORD_LENGTH_MAX, `must have at most ${PASSWORD_LENGTH_MAX} characters`);

const lengthOf = (password: string): number => [...normalizePassword(password)].length;
