/**
 * Examples are what Swagger UI prefills and sends, so they must do the obvious thing on any day and in any deployment.
 * Schemas are made once per process, which may run for months; so what depends on the day or the deployment is a
 * placeholder in them, filled in when somebody asks for the document.
 */

/** Somebody or something that does not exist. */
export const EXAMPLE_ID = "0199b1b2-7f5d-7c6e-9c43-5f0f8f0f3b11";

/**
 * @param days from the day on which the document is asked for, in UTC; negative ones are in the past
 * @returns a placeholder for that day, such as 2026-11-24; a time of day goes after it: `${exampleDay(30)}T20:00:00Z`
 */
export const exampleDay = (days: number): string => `{day:${days}}`;

/** A placeholder for the deployment's currency. */
export const EXAMPLE_CURRENCY = "{currency}";

const DAY_MS = 86_400_000;

/**
 * @param text a document with placeholders, as JSON
 * @param values.now when the document is asked for
 * @param values.currency ISO 4217
 * @returns the document with values in their place
 */
export function fillInExamples(text: string, { now, currency }: { now: number; currency: string }): string {
  return text
    .replace(/\{day:(-?\d+)\}/g, (_, days) => new Date(now + days * DAY_MS).toISOString().slice(0, 10))
    .replaceAll(EXAMPLE_CURRENCY, currency);
}
