import { setTimeout as delay } from "node:timers/promises";

/**
 * Waits for a condition instead of sleeping.
 *
 * @param what named in the error if it never holds
 * @param probe returns a value when the condition holds, else undefined, null or false; its errors count as "not yet"
 * @returns what the probe returned
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  { timeoutMs = 15_000, intervalMs = 20 } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`, { cause: lastError });
    await delay(intervalMs);
  }
}
