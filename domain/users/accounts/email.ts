import { domainToASCII } from "node:url";
import { z } from "zod";

/** Characters; the longest address that SMTP can carry (RFC 5321 with erratum 1690). */
export const EMAIL_LENGTH_MAX = 254;
/** Characters of a label (RFC 1035). Punycode makes labels longer than they look. */
const LABEL_LENGTH_MAX = 63;

/** What domainToASCII may be given. It takes a host as URLs have it, and would decode `%41` and read `:80` as a port. */
const DOMAIN = /^(?:[A-Za-z0-9.-]|\P{ASCII})+$/u;
/** Labels, the last one of letters or punycode, so that it is no IP address. */
const ASCII_DOMAIN = /^(?:[a-z0-9][a-z0-9-]*\.)+(?:[a-z]{2,}|xn--[a-z0-9-]*[a-z0-9])$/;

/**
 * The one form in which addresses are stored: the local part as given, and the domain in ASCII and lower case (UTS #46), so that
 * `ada@Bücher.example` and `ada@xn--bcher-kva.example` are one.
 *
 * @returns undefined if it is no address, or its domain no domain
 */
export function canonicalEmail(address: string): string | undefined {
  const { local, domain } = split(address);
  if (!z.regexes.email.test(`${local}@example.com`)) return undefined;
  const ascii = toAscii(domain);
  if (!ASCII_DOMAIN.test(ascii) || ascii.split(".").some((label) => label.length > LABEL_LENGTH_MAX)) return undefined;
  const canonical = `${local}@${ascii}`;
  return canonical.length > EMAIL_LENGTH_MAX ? undefined : canonical;
}

/** @returns the beginning of an address, in the form in which addresses are stored, as far as its labels are whole */
export function canonicalEmailPrefix(prefix: string): string {
  const { local, domain } = split(prefix);
  // A part of a name in ASCII is the same part of it as it is stored.
  if (/^\p{ASCII}*$/u.test(domain)) return prefix;
  return `${local}@${toAscii(domain) || domain}`;
}

function split(address: string): { local: string; domain: string } {
  const at = address.lastIndexOf("@");
  return at === -1 ? { local: address, domain: "" } : { local: address.slice(0, at), domain: address.slice(at + 1) };
}

/** @returns "" for what is no domain */
const toAscii = (domain: string): string => (DOMAIN.test(domain) ? domainToASCII(domain) : "");
