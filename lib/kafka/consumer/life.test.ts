import { EventEmitter } from "node:events";
import type { Consumer } from "kafkajs";
import { expect, test } from "vitest";
import { until } from "../../../tests/support/until.ts";
import { ConsumerHealth } from "./health.ts";
import { live } from "./life.ts";

/** kafkajs as far as a life sees it, which tells what the test wants it to. */
function startLife() {
  const told = new EventEmitter();
  const calls: string[] = [];
  const called = (name: string) => async () => void calls.push(name);
  const consumer = {
    on: (name: string, listener: (event: unknown) => void) => told.on(name, listener),
    connect: called("connect"),
    subscribe: called("subscribe"),
    run: called("run"),
    disconnect: called("disconnect"),
  };
  const health = new ConsumerHealth();
  const stopping = new AbortController();
  const ended = live(consumer as unknown as Consumer, {
    topic: "player",
    concurrency: 1,
    eachBatch: async () => {},
    health,
    stopping: stopping.signal,
  }).then(
    () => "ended" as const,
    (error: unknown) => error,
  );
  const isMember = () => {
    try {
      health.check();
      return true;
    } catch {
      return false;
    }
  };
  const tell = (name: string, payload: object = {}) => told.emit(`consumer.${name}`, { payload });
  return { calls, stopping, ended, isMember, tell };
}

test("it is a member between joining and rebalancing, and no longer when it has stopped", async () => {
  const { calls, stopping, ended, isMember, tell } = startLife();
  expect(isMember()).toBe(false);
  tell("group_join");
  await until("it has joined", isMember);
  tell("rebalancing");
  await until("it rebalances", () => !isMember());
  tell("group_join");
  await until("it has joined again", isMember);
  stopping.abort();
  expect(await ended).toBe("ended");
  expect(isMember()).toBe(false);
  expect(calls).toEqual(["connect", "subscribe", "run", "disconnect"]);
});

test("while kafkajs starts anew by itself the life goes on, without being a member", async () => {
  const { stopping, ended, isMember, tell } = startLife();
  tell("group_join");
  await until("it has joined", isMember);
  tell("crash", { error: new Error("later"), restart: true });
  await until("it is no member", () => !isMember());
  tell("group_join");
  await until("it is back", isMember);
  stopping.abort();
  expect(await ended).toBe("ended");
});

test("what kafkajs gives up on ends the life, which disconnects first", async () => {
  const { calls, ended, isMember, tell } = startLife();
  const error = new Error("for good");
  tell("group_join");
  tell("crash", { error, restart: false });
  expect(await ended).toBe(error);
  expect(isMember()).toBe(false);
  expect(calls.at(-1)).toBe("disconnect");
});

test("one that is stopped while it starts ends as soon as it has started", async () => {
  const { calls, stopping, ended } = startLife();
  stopping.abort();
  expect(await ended).toBe("ended");
  expect(calls.at(-1)).toBe("disconnect");
});
