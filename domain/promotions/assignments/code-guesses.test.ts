import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../../lib/ids.ts";
import { awaitRedis, connectRedis, type Redis } from "../../../lib/redis.ts";
import { silentLog } from "../../../tests/support/kafka.ts";
import { servers } from "../../../tests/support/servers.ts";
import { unreachableRedis } from "../../../tests/support/users-service.ts";
import { type CodeGuesses, createCodeGuesses, GUESSES_PER_ADDRESS, GUESSES_PER_PLAYER } from "./code-guesses.ts";

let redis: Redis;
beforeAll(async () => {
  redis = connectRedis(servers.redisUrl, silentLog);
  await awaitRedis(redis);
});
afterAll(() => redis.disconnect());

const freshAddress = () => `2001:db8::${newId().slice(-4)}:${newId().slice(-4)}`;

/** @returns how many of so many guesses at once were looked at; the rest had to wait */
async function lookedAt(guesses: CodeGuesses, times: number, guessOf: () => { playerId: string; address: string }) {
  const results = await Promise.allSettled(Array.from({ length: times }, () => guesses.begin(guessOf())));
  const refused = results.filter(({ status }) => status === "rejected");
  for (const result of refused) expect(result).toMatchObject({ reason: { code: "too_many_attempts" } });
  return times - refused.length;
}

test("one player guesses so often and no more, from however many addresses, and others are left alone", async () => {
  const guesses = createCodeGuesses(redis, silentLog, "off");
  const playerId = newId();
  const guessOf = () => ({ playerId, address: freshAddress() });
  expect(await lookedAt(guesses, GUESSES_PER_PLAYER.points + 20, guessOf)).toBe(GUESSES_PER_PLAYER.points);
  expect(await lookedAt(guesses, 1, () => ({ playerId: newId(), address: "" }))).toBe(1);
});

test("one address guesses so often and no more, with however many players, unless addresses are not limited", async () => {
  const address = freshAddress();
  const guessOf = () => ({ playerId: newId(), address });
  const [on, off] = [createCodeGuesses(redis, silentLog, "on"), createCodeGuesses(redis, silentLog, "off")];
  expect(await lookedAt(on, GUESSES_PER_ADDRESS.points + 5, guessOf)).toBe(GUESSES_PER_ADDRESS.points);
  expect(await lookedAt(on, 1, () => ({ playerId: newId(), address: freshAddress() }))).toBe(1);
  expect(await lookedAt(off, 5, guessOf)).toBe(5);
});

test("a code that there is is no guess, of neither player nor address", async () => {
  const guesses = createCodeGuesses(redis, silentLog, "on");
  const guess = { playerId: newId(), address: freshAddress() };
  for (let time = 0; time < GUESSES_PER_PLAYER.points + 5; time++) await (await guesses.begin(guess))();
  expect(await lookedAt(guesses, GUESSES_PER_PLAYER.points + 5, () => guess)).toBe(GUESSES_PER_PLAYER.points);
});

test("without Redis guesses are bounded too", async () => {
  const away = unreachableRedis();
  try {
    const guesses = createCodeGuesses(away, silentLog, "on");
    const guess = { playerId: newId(), address: freshAddress() };
    expect(await lookedAt(guesses, GUESSES_PER_PLAYER.points + 4, () => guess)).toBe(GUESSES_PER_PLAYER.points);
  } finally {
    away.disconnect();
  }
});
