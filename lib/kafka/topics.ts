import { type Admin, ConfigResourceTypes, ConfigSource } from "kafkajs";
import { retry } from "../backoff.ts";
import { TOPICS } from "../events.ts";
import { deadLetterTopic, isDeadLetterTopic } from "./dead-letter.ts";

export const PARTITIONS = 12;
/** Room for the headers that a dead letter gets on top of a message of the brokers' largest size (1 MiB). */
const DLT_MESSAGE_BYTES_MAX = 2 * 1024 * 1024;
/** As long as MongoDB remembers notifications. Kafka's default of 7 days is a holiday. */
const DLT_RETENTION_MS = 90 * 86_400_000;
const RETENTION = "retention.ms";
/** About 15 seconds in all. */
const LEADERS_RETRY = { baseMs: 100, maxMs: 1_000, attemptsMax: 20, isRetryable: () => true };

export interface TopicSettings {
  replicationFactor: number;
  minInsyncReplicas: number;
}

/** @returns the settings that a topic, or one of dead letters, is created with */
export function topicConfig(
  topic: string,
  { minInsyncReplicas }: Pick<TopicSettings, "minInsyncReplicas">,
): { name: string; value: string }[] {
  return [
    { name: "min.insync.replicas", value: String(minInsyncReplicas) },
    // The brokers unpack what a foreign producer packed: our client reads gzip only, and sizes are checked unpacked.
    { name: "compression.type", value: "uncompressed" },
    ...(isDeadLetterTopic(topic)
      ? [
          { name: "max.message.bytes", value: String(DLT_MESSAGE_BYTES_MAX) },
          { name: RETENTION, value: String(DLT_RETENTION_MS) },
        ]
      : []),
  ];
}

/**
 * Creates the topics that are missing and checks those that exist. Gives dead letters their retention where nobody has
 * set one: topics that were made by an earlier version have the brokers'. Safe to run at once from several places.
 *
 * @returns the names of the topics
 * @throws Error naming every topic whose partitions, replication factor or min.insync.replicas differ
 */
export async function ensureTopics(admin: Admin, settings: TopicSettings): Promise<string[]> {
  const names = Object.values(TOPICS).flatMap((topic) => [topic, deadLetterTopic(topic)]);
  const existing = new Set(await admin.listTopics());
  const missing = names.filter((name) => !existing.has(name));
  if (missing.length > 0) {
    await admin.createTopics({
      waitForLeaders: false,
      timeout: 15_000,
      topics: missing.map((topic) => ({
        topic,
        numPartitions: PARTITIONS,
        replicationFactor: settings.replicationFactor,
        configEntries: topicConfig(topic, settings),
      })),
    });
    await retry(() => checkLeaders(admin, missing), LEADERS_RETRY);
  }
  await keepDeadLetters(admin, names.filter(isDeadLetterTopic));
  const problems = await findDeviations(admin, names, settings);
  if (problems.length > 0) throw new Error(`Topics have other settings than this deployment:\n${problems.join("\n")}`);
  return names;
}

/** Not `waitForLeaders`, which gives up where the broker that is asked has not heard of the topics yet. */
async function checkLeaders(admin: Admin, topics: string[]): Promise<void> {
  const metadata = await admin.fetchTopicMetadata({ topics });
  const without = metadata.topics.filter(({ partitions }) => partitions.some(({ leader }) => leader < 0));
  if (without.length > 0) throw new Error(`No leaders yet: ${without.map(({ name }) => name).join(", ")}`);
}

async function keepDeadLetters(admin: Admin, topics: string[]): Promise<void> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
  });
  const changes = resources.flatMap(({ resourceName, configEntries }) => {
    // Our client replaces all settings of a topic, so those that it has of its own are sent again.
    const own = configEntries
      .filter(({ configSource }) => configSource === ConfigSource.TOPIC_CONFIG)
      .map(({ configName, configValue }) => ({ name: configName, value: configValue }));
    if (own.some(({ name }) => name === RETENTION)) return [];
    return {
      type: ConfigResourceTypes.TOPIC,
      name: resourceName,
      configEntries: [...own, { name: RETENTION, value: String(DLT_RETENTION_MS) }],
    };
  });
  if (changes.length > 0) await admin.alterConfigs({ validateOnly: false, resources: changes });
}

async function findDeviations(admin: Admin, names: string[], settings: TopicSettings): Promise<string[]> {
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({
      type: ConfigResourceTypes.TOPIC,
      name,
      configNames: ["min.insync.replicas"],
    })),
  });
  const problems: string[] = [];
  const compare = (topic: string, what: string, is: number, wanted: number) => {
    if (is !== wanted) problems.push(`  - ${topic}: ${what} is ${is}, expected ${wanted}`);
  };
  for (const { name, partitions } of topics) {
    const minIsr = resources.find((resource) => resource.resourceName === name)?.configEntries[0]?.configValue;
    compare(name, "partitions", partitions.length, PARTITIONS);
    compare(name, "replication factor", partitions[0]?.replicas.length ?? 0, settings.replicationFactor);
    compare(name, "min.insync.replicas", Number(minIsr), settings.minInsyncReplicas);
  }
  return problems;
}
