import { expect, test } from "vitest";
import { until } from "../tests/support/until.ts";
import { CircuitOpenError, createCircuitBreaker } from "./circuit-breaker.ts";

const OPEN_MS = 100;
const HANG = new Error("no answer in time");
const REFUSAL = new Error("no");

function createTestBreaker() {
  const changes: boolean[] = [];
  const breaker = createCircuitBreaker(
    "test",
    (error) => error === HANG,
    (_, isOpen) => changes.push(isOpen),
    OPEN_MS,
  );
  const ask = () => breaker(() => Promise.resolve("answer"));
  const hang = () => breaker(() => Promise.reject(HANG));
  return {
    breaker,
    changes,
    ask,
    hang,
    /** A call that goes on until it is told how it ends. */
    begin() {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      let isMade = false;
      const outcome = breaker(() => {
        isMade = true;
        return promise;
      }).catch((error: unknown) => error);
      return { isMade, outcome, answer: () => resolve("answer"), hang: () => reject(HANG) };
    },
    async open() {
      for (let hangs = 0; hangs < 5; hangs++) await expect(hang()).rejects.toBe(HANG);
      expect(changes.at(-1)).toBe(true);
    },
  };
}

/** Begins calls until one is not refused: the probe of an open circuit. */
function beginProbe({ begin }: ReturnType<typeof createTestBreaker>) {
  return until("a probe is let through", () => {
    const call = begin();
    return call.isMade && call;
  });
}

test("five hangs in a row open it, then calls are not made; an answer or a refusal in between counts as one", async () => {
  const { breaker, changes, ask, hang, open } = createTestBreaker();
  for (const between of [ask, () => breaker(() => Promise.reject(REFUSAL))]) {
    for (let hangs = 0; hangs < 4; hangs++) await expect(hang()).rejects.toBe(HANG);
    await between().catch((error: unknown) => expect(error).toBe(REFUSAL));
  }
  expect(changes).toEqual([]);
  await open();
  let isCalled = false;
  await expect(
    breaker(async () => {
      isCalled = true;
    }),
  ).rejects.toBeInstanceOf(CircuitOpenError);
  expect(isCalled).toBe(false);
});

test("one probe at a time: a hang keeps it open for as long again, an answer closes it", async () => {
  const test = createTestBreaker();
  await test.open();
  const first = await beginProbe(test);
  await expect(test.ask()).rejects.toBeInstanceOf(CircuitOpenError);
  first.hang();
  expect(await first.outcome).toBe(HANG);
  await expect(test.ask()).rejects.toBeInstanceOf(CircuitOpenError);
  const second = await beginProbe(test);
  second.answer();
  expect(await second.outcome).toBe("answer");
  expect(await Promise.all([test.ask(), test.ask(), test.ask()])).toEqual(Array(3).fill("answer"));
  expect(test.changes).toEqual([true, false]);
});

test("a call that began before it opened and is answered closes it: who has that answer may count on the next", async () => {
  const test = createTestBreaker();
  const early = test.begin();
  await test.open();
  early.answer();
  expect(await early.outcome).toBe("answer");
  expect(await test.ask()).toBe("answer");
});

test("calls that began before it opened and hang until later neither keep the probe's answer from counting, nor open it anew", async () => {
  const test = createTestBreaker();
  const early = Array.from({ length: 10 }, () => test.begin());
  await test.open();
  const probe = await beginProbe(test);
  early[0]?.hang();
  await early[0]?.outcome;
  probe.answer();
  await probe.outcome;
  expect(await test.ask()).toBe("answer");
  for (const call of early.slice(1)) call.hang();
  await Promise.all(early.map(({ outcome }) => outcome));
  expect(await test.ask()).toBe("answer");
  expect(test.changes).toEqual([true, false]);
});
