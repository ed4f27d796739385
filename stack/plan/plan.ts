import { mkdirSync } from "node:fs";
import type { ServerContext } from "../infrastructure/context.ts";
import { portOf } from "../infrastructure/context.ts";
import { kafkaBrokers, prepareKafka, replicationOf, waitForCluster } from "../infrastructure/kafka.ts";
import { MAIL_FROM, prepareMail } from "../infrastructure/mail.ts";
import { type MongodbKind, prepareMongodb, requireExternalMongodb } from "../infrastructure/mongodb.ts";
import { prepareNginx } from "../infrastructure/nginx.ts";
import { createDatabases, preparePostgres } from "../infrastructure/postgres.ts";
import { prepareRedis } from "../infrastructure/redis.ts";
import type { ProcessSpec } from "../supervisor/process-spec.ts";
import { runJob } from "../supervisor/run-job.ts";
import type { StartStep } from "../supervisor/start-graph.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { command, instanceNames, instanceSpec, portKeys } from "./instances.ts";
import type { Scale } from "./options.ts";
import { HOST } from "./ports.ts";
import { type ProcessDefinition, TOPOLOGY, type TopologyValues } from "./topology.ts";

/** What a start is made of. */
export interface Plan {
  context: ServerContext;
  scale: Scale;
  publicUrl: string;
  publicPort: number;
  currency: string;
  approvalThresholdMinor: string;
  openPromotionsMax: string;
  reportTimeZone: string;
  expiryNoticeHours: string;
  rateLimits: "on" | "off";
  staffSecondFactor: "on" | "off";
  mongodb: MongodbKind;
}

type Running = ProcessDefinition & { tier: ProcessSpec["tier"] };

const isRunning = (definition: ProcessDefinition): definition is Running => definition.tier !== "job";

/** @returns the key of every port that these processes need, besides nginx's public one */
export function neededPorts(scale: Scale, mongodb: MongodbKind): string[] {
  const brokers = Array.from({ length: scale.brokers }, (_, index) => `kafka-${index + 1}`);
  return [
    "postgres",
    "redis",
    "mail",
    ...brokers.flatMap((name) => [name, `${name}.controller`]),
    ...(mongodb.kind === "external" ? [] : ["mongodb"]),
    ...TOPOLOGY.filter(isRunning).flatMap((definition) =>
      instanceNames(definition, scale).flatMap((instance) => portKeys(definition, instance)),
    ),
  ];
}

/** @returns where Users' replicas serve gRPC, as a target that grpc-js balances over */
export function usersGrpcTarget({ context, scale }: Pick<Plan, "context" | "scale">): string {
  const users = TOPOLOGY.find(({ name }) => name === "users");
  const instances = users ? instanceNames(users, scale) : [];
  return `ipv4:${instances.map((instance) => `${HOST}:${portOf(context, `${instance}.GRPC_PORT`)}`).join(",")}`;
}

/** @returns every step of the start, with what each needs */
export function startSteps(plan: Plan, supervisor: Supervisor): StartStep[] {
  return [...serverSteps(plan, supervisor), ...processSteps(plan, supervisor)];
}

function serverSteps({ context, scale, mongodb, publicPort, rateLimits }: Plan, supervisor: Supervisor): StartStep[] {
  const startAll = async (specs: readonly ProcessSpec[], signal: AbortSignal) => {
    for (const spec of specs) {
      mkdirSync(spec.cwd, { recursive: true });
      supervisor.add(spec);
    }
    await Promise.all(specs.map(({ name }) => supervisor.start(name, signal)));
  };
  return [
    {
      name: "postgres",
      needs: [],
      run: async (signal) => {
        await startAll([await preparePostgres(context)], signal);
        await createDatabases(context);
      },
    },
    { name: "redis", needs: [], run: (signal) => startAll([prepareRedis(context)], signal) },
    { name: "mail", needs: [], run: (signal) => startAll([prepareMail(context)], signal) },
    {
      name: "kafka",
      needs: [],
      run: async (signal) => {
        await startAll(await prepareKafka(context), signal);
        await waitForCluster(context, signal);
      },
    },
    {
      name: "mongodb",
      needs: mongodb.kind === "ferretdb" ? ["postgres"] : [],
      run: async (signal) => {
        if (mongodb.kind === "external") return requireExternalMongodb(mongodb.url);
        await startAll([prepareMongodb(context, mongodb)], signal);
      },
    },
    {
      name: "nginx",
      needs: [],
      run: (signal) => startAll([prepareNginx(context, publicPort, upstreams(context, scale), rateLimits)], signal),
    },
  ];
}

/** One step per job and per kind of process, whatever the number of its instances. */
function processSteps(plan: Plan, supervisor: Supervisor): StartStep[] {
  const { context, scale } = plan;
  const values = topologyValues(plan);
  return TOPOLOGY.map((definition) => ({
    name: definition.name,
    needs: definition.needs,
    run: async (signal) => {
      if (!isRunning(definition)) return runJob(command(context, definition, definition.name, values), signal);
      const instances = instanceNames(definition, scale);
      for (const instance of instances) {
        const spec = instanceSpec(context, definition, instance, values);
        mkdirSync(spec.cwd, { recursive: true });
        supervisor.add(spec);
      }
      await Promise.all(instances.map((instance) => supervisor.start(instance, signal)));
    },
  }));
}

function upstreams(context: ServerContext, scale: Scale): Record<string, number[]> {
  const served = TOPOLOGY.filter(({ ports }) => ports?.includes("PORT"));
  return Object.fromEntries(
    served.map((definition) => [
      definition.name,
      instanceNames(definition, scale).map((instance) => portOf(context, `${instance}.PORT`)),
    ]),
  );
}

function topologyValues(plan: Plan): TopologyValues {
  const { context, publicUrl, currency, approvalThresholdMinor, openPromotionsMax, reportTimeZone } = plan;
  const { expiryNoticeHours, rateLimits, staffSecondFactor } = plan;
  const { factor, minInsync } = replicationOf(context.state.brokers);
  return {
    secrets: context.layout.secrets,
    publicUrl,
    edgeUrl: publicUrl,
    currency,
    approvalThresholdMinor,
    openPromotionsMax,
    reportTimeZone,
    expiryNoticeHours,
    rateLimits,
    staffSecondFactor,
    kafkaBrokers: kafkaBrokers(context).join(","),
    kafkaReplicationFactor: String(factor),
    kafkaMinInsyncReplicas: String(minInsync),
    usersGrpcTarget: usersGrpcTarget(plan),
    adminEmail: context.state.admin.email,
    mailFrom: MAIL_FROM,
  };
}
