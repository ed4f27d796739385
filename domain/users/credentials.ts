import { z } from "zod";

/** Characters; the longest address that SMTP can carry (RFC 5321 with erratum 1690). */
const EMAIL_LENGTH_MAX = 254;
/** Characters. Long ones cost nothing, since the hash's cost doesn't depend on the length; but there must be an end. */
const PASSWORD_LENGTH_MIN = 12;
const PASSWORD_LENGTH_MAX = 128;

/** An e-mail address: kept as given, compared regardless of case. */
export const emailSchema = z
  .string()
  .trim()
  .max(EMAIL_LENGTH_MAX, `must have at most ${EMAIL_LENGTH_MAX} characters`)
  .regex(z.regexes.email, "must be an e-mail address");

/** A password that someone presents: whether it is the right one is for the hash to say. */
export const presentedPasswordSchema = z
  .string()
  .min(1, "must not be empty")
  .max(PASSWORD_LENGTH_MAX, `must have at most ${PASSWORD_LENGTH_MAX} characters`)
  .refine((value) => !value.includes("\0"), "must not contain NUL characters");

/** A password that someone chooses. */
export const newPasswordSchema = presentedPasswordSchema.min(
  PASSWORD_LENGTH_MIN,
  `must have at least ${PASSWORD_LENGTH_MIN} characters`,
);
