import { EventEmitter } from "node:events";
import type { Consumer } from "kafkajs";
import { expect, test } from "vitest";
import { until } from "../../../tests/support/until.ts";
import { ConsumerHealth } from "./health.ts";
import { live } from "./life.ts";

/** kafkajs as far as a life sees it, which tells what the test wants it to. */
function startLife({ joinMaxMs = 60_000 } = {}) {
  const told = new EventEmitter();
  const calls: string[] = [];
  const assigned: number[][] = [];
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
    onAssigned: (partitions) => void assigned.push(partitions),
    stopping: stopping.signal,
    joinMaxMs,
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
  const join = (...partitions: number[]) => tell("group_join", { memberAssignment: { player: partitions } });
  return { calls, assigned, join, stopping, ended, isMember, tell };
}

test("it is a member between joining and rebalancing, and no longer when it has stopped", async () => {
  const { calls, assigned, stopping, ended, isMember, tell, join } = startLife();
  expect(isMember()).toBe(false);
  join(0, 1);
  await until("it has joined", isMember);
  tell("rebalancing");
  await until("it rebalances", () => !isMember());
  join(0, 1);
  await until("it has joined again", isMember);
  stopping.abort();
  expect(await ended).toBe("ended");
  expect(isMember()).toBe(false);
  expect(calls).toEqual(["connect", "subscribe", "run", "disconnect"]);
  expect(assigned).toEqual([[0, 1], [0, 1], []]);
});

test("while kafkajs starts anew by itself the life goes on, without being a member", async () => {
  const { stopping, ended, isMember, tell, join } = startLife();
  join(0, 1);
  await until("it has joined", isMember);
  tell("crash", { error: new Error("later"), restart: true });
  await until("it is no member", () => !isMember());
  join(0, 1);
  await until("it is back", isMember);
  stopping.abort();
  expect(await ended).toBe("ended");
});

test("what kafkajs gives up on ends the life, which disconnects first", async () => {
  const { calls, ended, isMember, tell, join } = startLife();
  const error = new Error("for good");
  join(0, 1);
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

test("one that is no member for too long ends, however busy kafkajs is; as a member it may be silent", async () => {
  const { calls, ended, isMember, tell, join } = startLife({ joinMaxMs: 300 });
  join(0, 1);
  await until("it has joined", isMember);
  const joinedAt = performance.now();
  await until("it has been one for longer than it may be none", () => performance.now() - joinedAt > 400);
  expect(isMember()).toBe(true);
  const busy = setInterval(() => tell("rebalancing"), 50);
  expect(await ended).toMatchObject({ message: "not a member of the group for 0.3 s" });
  clearInterval(busy);
  expect(calls.at(-1)).toBe("disconnect");
});
