import commonPasswords from "./common-passwords.json" with { type: "json" };
import { normalizePassword } from "./passwords.ts";

/**
 * The 10,000 most common passwords that could be chosen here (OWASP ASVS 5.0, 6.2.4: of those that match the policy, since of the
 * most common ones of any length hardly one has twelve characters). They are the first of that length in
 * `10-million-password-list-top-1000000.txt` of SecLists (github.com/danielmiessler/SecLists; Copyright (c) Daniel Miessler, MIT
 * License), normalised, in lower case, and without those that are refused as repeated or a sequence.
 */
const COMMON: ReadonlySet<string> = new Set(commonPasswords);

/** @returns whether many people have chosen this password, in whatever case */
export function isCommonPassword(password: string): boolean {
  return COMMON.has(normalizePassword(password).toLowerCase());
}
