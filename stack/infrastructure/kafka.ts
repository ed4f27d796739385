import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { Kafka, logLevel } from "kafkajs";
import { findJava } from "../bootstrap/java.mjs";
import { kafkaFolder } from "../bootstrap/kafka.mjs";
import { StackError } from "../errors.ts";
import { makePrivateFolder } from "../files.ts";
import { ROOT } from "../plan/layout.ts";
import { HOST } from "../plan/ports.ts";
import { exchange } from "../supervisor/probes.ts";
import type { ProcessSpec } from "../supervisor/process-spec.ts";
import { baseEnvironment, placeOf, portOf, type ServerContext } from "./context.ts";

/** Without the second compiler: on a small machine it takes more from the start than it gives later. */
const JVM_OPTIONS = ["-Xmx384m", "-XX:TieredStopAtLevel=1"];

/** What a replicated topic keeps and needs, with this many nodes. */
export function replicationOf(brokers: 1 | 3): { factor: number; minInsync: number } {
  return brokers === 3 ? { factor: 3, minInsync: 2 } : { factor: 1, minInsync: 1 };
}

/** @returns the address of every broker */
export function kafkaBrokers(context: ServerContext): string[] {
  return nodeIds(context).map((id) => `${HOST}:${portOf(context, `kafka-${id}`)}`);
}

/**
 * Writes every node's configuration and formats its storage where that has not been done.
 *
 * @returns how to run the nodes
 */
export async function prepareKafka(context: ServerContext): Promise<ProcessSpec[]> {
  return Promise.all(nodeIds(context).map((id) => prepareNode(context, id)));
}

/** Waits until the nodes have found each other: all are registered, and one is the controller. */
export async function waitForCluster(context: ServerContext, signal: AbortSignal): Promise<void> {
  const kafka = new Kafka({ clientId: "stack", brokers: kafkaBrokers(context), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    for (;;) {
      const { brokers, controller } = await admin.describeCluster();
      if (brokers.length === context.state.brokers && controller !== null) return;
      await delay(100, undefined, { signal });
    }
  } finally {
    await admin.disconnect();
  }
}

async function prepareNode(context: ServerContext, id: number): Promise<ProcessSpec> {
  const name = `kafka-${id}`;
  const place = { ...placeOf(context.layout, name), cwd: join(context.layout.dir, name) };
  const data = join(place.cwd, "data");
  const configuration = join(place.cwd, "server.properties");
  makePrivateFolder(place.cwd);
  writeFileSync(configuration, propertiesFile(settings(context, id, data)));
  const java = findJava() ?? "java";
  const classPath = join(kafkaFolder(), "libs", "*");
  const logging = `-Dlog4j2.configurationFile=${join(ROOT, "stack/kafka/log4j2.yaml")}`;
  if (!existsSync(join(data, "meta.properties"))) await format(context, java, classPath, configuration, data);
  const port = portOf(context, name);
  return {
    ...place,
    role: "kafka",
    tier: "infrastructure",
    command: java,
    args: [...JVM_OPTIONS, logging, "-cp", classPath, "kafka.Kafka", configuration],
    env: baseEnvironment(),
    port,
    stopSignal: "SIGTERM",
    probe: (signal) => probeBroker(port, signal),
  };
}

function settings(context: ServerContext, id: number, data: string): Record<string, string | number> {
  const controller = (node: number) => `${HOST}:${portOf(context, `kafka-${node}.controller`)}`;
  const broker = `BROKER://${HOST}:${portOf(context, `kafka-${id}`)}`;
  return {
    ...clusterSettings(context.state.brokers),
    "node.id": id,
    "controller.quorum.voters": nodeIds(context)
      .map((node) => `${node}@${controller(node)}`)
      .join(","),
    listeners: `${broker},CONTROLLER://${controller(id)}`,
    "advertised.listeners": broker,
    "log.dirs": data,
  };
}

/** @returns what is the same on every node and in every deployment; a test holds the containers' settings against it */
export function clusterSettings(brokers: 1 | 3): Record<string, string | number> {
  const { factor, minInsync } = replicationOf(brokers);
  return {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "BROKER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": factor,
    "min.insync.replicas": minInsync,
    "offsets.topic.replication.factor": factor,
    "transaction.state.log.replication.factor": factor,
    "transaction.state.log.min.isr": minInsync,
    "share.coordinator.state.topic.replication.factor": factor,
    "share.coordinator.state.topic.min.isr": minInsync,
    // Kafka's 50 make a fresh cluster of three spend most of its first seconds on forming this topic.
    "offsets.topic.num.partitions": 12,
    "transaction.state.log.num.partitions": 12,
    // After a broker's death its partitions have no leader, and it can't come back, until its session has run out (9 s).
    "broker.session.timeout.ms": 6_000,
    "broker.heartbeat.interval.ms": 1_000,
    // Long enough for the members that start together, short enough not to be waited for.
    "group.initial.rebalance.delay.ms": 300,
  };
}

async function format(context: ServerContext, java: string, classPath: string, configuration: string, data: string) {
  rmSync(data, { recursive: true, force: true });
  const quickStart = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m"];
  const tool = ["kafka.tools.StorageTool", "format", `--cluster-id=${context.state.kafkaClusterId}`];
  try {
    await execa(java, [...quickStart, "-cp", classPath, ...tool, "-c", configuration], {
      env: baseEnvironment(),
      extendEnv: false,
      all: true,
    });
  } catch (error) {
    throw new StackError(`Kafka's storage can't be formatted: ${(error as { all?: string }).all || String(error)}`);
  }
}

/** An ApiVersions request (kafka_protocol.html): the first that every client sends, answered once a broker serves. */
async function probeBroker(port: number, signal: AbortSignal): Promise<void> {
  const clientId = Buffer.from("stack");
  const header = Buffer.from([0, 18, 0, 0, 0, 0, 0, 1, 0, clientId.length]);
  const size = Buffer.alloc(4);
  size.writeInt32BE(header.length + clientId.length);
  const isWhole = (answer: Buffer) => answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0);
  await exchange(port, Buffer.concat([size, header, clientId]), isWhole, signal);
}

function propertiesFile(values: Record<string, string | number>): string {
  // A backslash starts an escape in Java's property files.
  const lines = Object.entries(values).map(([key, value]) => `${key}=${String(value).replaceAll("\\", "\\\\")}`);
  return `${lines.join("\n")}\n`;
}

function nodeIds(context: ServerContext): number[] {
  return Array.from({ length: context.state.brokers }, (_, index) => index + 1);
}
