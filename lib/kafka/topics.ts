import { type Admin, ConfigResourceTypes } from "kafkajs";
import { TOPICS } from "../events.ts";
import { deadLetterTopic } from "./dead-letter.ts";

export const PARTITIONS = 12;
/** Room for the headers that a dead letter gets on top of a message of the brokers' largest size (1 MiB). */
const DLT_MESSAGE_BYTES_MAX = 2 * 1024 * 1024;

export interface TopicSettings {
  replicationFactor: number;
  minInsyncReplicas: number;
}

/**
 * Creates the topics that are missing and checks those that exist. Safe to run at once from several places.
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
      waitForLeaders: true,
      timeout: 15_000,
      topics: missing.map((topic) => ({
        topic,
        numPartitions: PARTITIONS,
        replicationFactor: settings.replicationFactor,
        configEntries: [
          { name: "min.insync.replicas", value: String(settings.minInsyncReplicas) },
          // The brokers unpack what a foreign producer packed: our client reads gzip only, and sizes are checked unpacked.
          { name: "compression.type", value: "uncompressed" },
          ...(topic.endsWith(".dlt") ? [{ name: "max.message.bytes", value: String(DLT_MESSAGE_BYTES_MAX) }] : []),
        ],
      })),
    });
  }
  const problems = await findDeviations(admin, names, settings);
  if (problems.length > 0) throw new Error(`Topics have other settings than this deployment:\n${problems.join("\n")}`);
  return names;
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
