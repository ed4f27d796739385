import type { NotificationsContext } from "../../domain/notifications/context.ts";
import { storeNotifications } from "../../domain/notifications/store-notifications.ts";
import { notificationEvent } from "../../lib/events.ts";
import type { Kafka } from "../../lib/kafka/client.ts";
import { type RunningConsumer, runConsumer } from "../../lib/kafka/consumer/run-consumer.ts";
import { CONSUMER_GROUPS, type ConsumerGroup } from "../../lib/kafka/groups.ts";
import { isMongoUnavailable } from "../../lib/mongo.ts";
import type { Logger } from "../../lib/telemetry/log.ts";
import type { Metrics } from "../../lib/telemetry/metrics.ts";
import type { Waker } from "./wake-publisher.ts";

export interface NotifierDeps {
  mongo: NotificationsContext;
  waker: Pick<Waker, "wake">;
  kafka: Kafka;
  log: Logger;
  metrics: Metrics;
  /** where to consume; its own by default */
  group?: ConsumerGroup;
}

/** Stores what players are told, and then wakes the edges that hold their sockets. */
export function runNotifier(deps: NotifierDeps): RunningConsumer {
  const { mongo, waker, kafka, log, metrics, group = CONSUMER_GROUPS.notifier } = deps;
  return runConsumer({
    kafka,
    ...group,
    schema: notificationEvent,
    handle: async (events) => waker.wake(await storeNotifications(mongo, events)),
    isUnavailable: isMongoUnavailable,
    log,
    metrics,
  });
}
