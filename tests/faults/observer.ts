import { setTimeout as delay } from "node:timers/promises";
import { type Admin, Kafka, logLevel } from "kafkajs";
import postgres from "postgres";
import { TOPICS } from "../../lib/events.ts";
import { until } from "../support/until.ts";
import type { System, SystemProcess } from "./system.ts";

const GROUPS = { "welcome-bonus": TOPICS.player, notifier: TOPICS.notification };
/** Milliseconds; after the last fault everything has to be healthy and done within this time. */
const SETTLE_TIMEOUT_MS = 180_000;
const GLANCE_TIMEOUT_MS = 1_500;

/** What waits to be done. */
export interface Lag {
  outboxRows: number;
  claiming: number;
  messages: number;
}

/** @returns the state of a process, with what it says of itself if it can */
async function describe({ name, health, internalPort }: SystemProcess): Promise<string> {
  const signal = AbortSignal.timeout(GLANCE_TIMEOUT_MS);
  const said =
    internalPort === null
      ? ""
      : await fetch(`http://127.0.0.1:${internalPort}/readyz`, { signal })
          .then((response) => response.text())
          .catch(String);
  return `${name} is ${health} ${said}`.trim();
}

/** Looks at the system from outside, by connections of its own. */
export class Observer {
  readonly #system: System;
  readonly users: postgres.Sql;
  readonly promotions: postgres.Sql;
  readonly #admin: Admin;

  constructor(system: System) {
    this.#system = system;
    const options = { max: 2, connect_timeout: 2, backoff: () => 0.2, onnotice: () => {} };
    this.users = postgres(system.usersDatabaseUrl, options);
    this.promotions = postgres(system.promotionsDatabaseUrl, options);
    const kafka = new Kafka({
      brokers: system.kafkaBrokers,
      clientId: "fault-run",
      logLevel: logLevel.NOTHING,
      connectionTimeout: 1_000,
      requestTimeout: 5_000,
      retry: { initialRetryTime: 100, retries: 3 },
    });
    this.#admin = kafka.admin();
  }

  async lag(): Promise<Lag> {
    const [rows, messages] = await Promise.all([this.#rows(), this.#messages()]);
    return { ...rows, messages };
  }

  /** @returns the lag, or undefined while a part of the system that would know is away */
  async glance(): Promise<Lag | undefined> {
    const tooLate = delay(GLANCE_TIMEOUT_MS, undefined, { ref: false });
    return Promise.race([this.lag().catch(() => undefined), tooLate]);
  }

  /** Waits until all processes are ready and nothing is left to be done. @throws Error naming what is left */
  async untilSettled(): Promise<void> {
    let left = "";
    try {
      await until(
        "everything has settled",
        async () => {
          const unready = (await this.#system.list()).filter(({ health }) => health !== "ready");
          left = (await Promise.all(unready.map(describe))).join(", ");
          if (left !== "") return false;
          const lag = await this.lag();
          left = JSON.stringify(lag);
          return lag.outboxRows + lag.claiming + lag.messages === 0;
        },
        { timeoutMs: SETTLE_TIMEOUT_MS, intervalMs: 500 },
      );
    } catch (error) {
      throw new Error(`Not settled ${SETTLE_TIMEOUT_MS / 1000} s after the traffic: ${left}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    await Promise.all([
      this.users.end({ timeout: 1 }),
      this.promotions.end({ timeout: 1 }),
      this.#admin.disconnect().catch(() => {}),
    ]);
  }

  async #rows() {
    const [[users], [promotions], [claiming]] = await Promise.all([
      this.users`select count(*)::int as count from outbox`,
      this.promotions`select count(*)::int as count from outbox`,
      this.promotions`select count(*)::int as count from assignments where status = 'claiming'`,
    ]);
    return { outboxRows: users?.count + promotions?.count, claiming: claiming?.count };
  }

  async #messages(): Promise<number> {
    await this.#admin.connect();
    let lag = 0;
    for (const [groupId, topic] of Object.entries(GROUPS)) {
      const [ends, [committed]] = await Promise.all([
        this.#admin.fetchTopicOffsets(topic),
        this.#admin.fetchOffsets({ groupId, topics: [topic] }),
      ]);
      const offsets = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
      for (const { partition, high, low } of ends)
        lag += Number(high) - Math.max(offsets.get(partition) ?? -1, Number(low));
    }
    return lag;
  }
}
