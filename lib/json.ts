/** The third argument of a reviver (TC39's "JSON.parse source text access", V8 11.4 and later): how a number was written. */
type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;
const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** A string of a JSON text, and the colon behind it if it is a name. */
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g;

/**
 * JSON as `JSON.parse` reads it, but exactly: a number that is written as no integer and rounded to one, such as
 * 1999.9999999999999999, comes as NaN, which no schema takes; and an object that names a field twice is no JSON to us (RFC 7493),
 * since it would be read one way here and another way by others.
 *
 * @throws SyntaxError, or RangeError where it is nested thousands deep
 */
export function parseJson(text: string): unknown {
  let names = 0;
  const value = parse(text, function (_key, entry, { source }) {
    if (!Array.isArray(this)) names += 1;
    return Number.isInteger(entry) && source !== undefined && !isInteger(source) ? Number.NaN : entry;
  });
  // The text itself is an entry of one more object, and what is named twice is one entry.
  if (names - 1 !== countNames(text)) throw new SyntaxError("An object names a field twice");
  return value;
}

function countNames(text: string): number {
  let names = 0;
  for (const [, colon] of text.matchAll(STRING)) if (colon !== undefined) names += 1;
  return names;
}

/** @param source a JSON number, as it is written; @returns whether it has no fraction, such as 2000, 2000.0 and 2e3 */
function isInteger(source: string): boolean {
  const [, whole = "", fraction = "", exponent = "0"] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  const digits = whole + fraction;
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end -= 1;
  return end === 0 || end - whole.length <= Number(exponent);
}
