import { Secret, TOTP } from "otpauth";

/** What all authenticator apps know; some of them ignore everything else that an address says (RFC 6238, RFC 4226). */
const SETTINGS = { algorithm: "SHA1", digits: 6, period: 30 } as const;
/** 160 bits, as long as the hash (RFC 4226, section 4). */
const SECRET_BYTES = 20;
/** Steps by which a client may be late or early (RFC 6238, section 5.2). */
const STEPS_OFF_MAX = 1;

/** How a code of an authenticator app looks. */
export const TOTP_CODE = /^\d{6}$/;

/** @returns a new secret, in base32 as authenticator apps take it */
export const newTotpSecret = (): string => new Secret({ size: SECRET_BYTES }).base32;

/** @returns the address by which an authenticator app takes the secret over, from a QR code */
export const otpauthUri = (secret: string, { issuer, account }: { issuer: string; account: string }): string =>
  new TOTP({ ...SETTINGS, secret, issuer, label: account }).toString();

/** @returns the number of the step that the code is of, if that is this one or one beside it */
export function totpStep(secret: string, code: string): number | undefined {
  if (!TOTP_CODE.test(code)) return undefined;
  const timestamp = Date.now();
  const totp = new TOTP({ ...SETTINGS, secret });
  const delta = totp.validate({ token: code, timestamp, window: STEPS_OFF_MAX });
  return delta === null ? undefined : totp.counter({ timestamp }) + delta;
}
