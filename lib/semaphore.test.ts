import { expect, test } from "vitest";
import { createSemaphore } from "./semaphore.ts";

const full = () => new Error("full");

test("never more than runningMax run at once, and all run in their order", async () => {
  const run = createSemaphore({ runningMax: 2, waitingMax: 100 }, full);
  let running = 0;
  let runningMost = 0;
  const order: number[] = [];
  const work = async (number: number) => {
    runningMost = Math.max(runningMost, ++running);
    order.push(number);
    await new Promise(setImmediate);
    running -= 1;
  };
  const numbers = Array.from({ length: 50 }, (_, number) => number);
  await Promise.all(numbers.map((number) => run(() => work(number))));
  expect(runningMost).toBe(2);
  expect(order).toEqual(numbers);
});

test("who finds the queue full is refused, and a failed one gives its place on", async () => {
  const run = createSemaphore({ runningMax: 1, waitingMax: 1 }, full);
  let fail: (error: Error) => void = () => {};
  const first = run(() => new Promise((_, reject) => (fail = reject)));
  const second = run(async () => "second");
  await expect(run(async () => "third")).rejects.toThrow("full");
  fail(new Error("first failed"));
  await expect(first).rejects.toThrow("first failed");
  expect(await second).toBe("second");
  expect(await run(async () => "fourth")).toBe("fourth");
});

test("who waits too long is refused, and takes no place from those behind", async () => {
  const run = createSemaphore({ runningMax: 1, waitingMax: 10, waitMsMax: 20 }, full);
  let finish: (value: string) => void = () => {};
  const first = run(() => new Promise<string>((resolve) => (finish = resolve)));
  await expect(run(async () => "second")).rejects.toThrow("full");
  const third = run(async () => "third");
  finish("first");
  expect(await Promise.all([first, third])).toEqual(["first", "third"]);
  expect(await run(async () => "fourth")).toBe("fourth");
});
