import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { type CollectionTag, parse } from "yaml";
import type { z } from "zod";
import { parseSentinelUrl } from "../lib/redis-sentinel.ts";
import { clusterSettings } from "./infrastructure/kafka.ts";
import { SERVER_SETTINGS } from "./infrastructure/postgres.ts";
import { ROOT } from "./plan/layout.ts";
import { fillIn, type SERVERS, TOPOLOGY, type TopologyValues } from "./plan/topology.ts";

interface Service {
  image: string;
  user?: string;
  command?: string[];
  environment?: Record<string, string | number>;
  depends_on?: Record<string, { condition: string }>;
  ports?: string[];
  networks?: string[];
  healthcheck?: unknown;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  logging?: unknown;
  restart?: string;
  deploy?: { replicas?: number; resources: { limits: { memory?: string; cpus?: string } } };
}
type Services = Record<string, Service>;

const read = (file: string) => readFileSync(path.join(ROOT, file), "utf8");

/** Compose's own: what has it replaces the other file's value instead of being merged with it. */
const OVERRIDE_TAG: CollectionTag = { tag: "!override", collection: "map", resolve: (map) => map };

function readServices(file: string): Services {
  // As Compose sees it when no variable is set.
  const text = read(file).replace(/\$\{\w+:-([^}]*)\}/g, "$1");
  return parse(text, { merge: true, maxAliasCount: -1, customTags: [OVERRIDE_TAG] }).services;
}

const services = readServices("docker-compose.yml");
const ferretdb = readServices("docker-compose.ferretdb.yml");
const withFerretdb: Services = Object.fromEntries(
  Object.entries({ ...services, ...ferretdb }).map(([name]) => [
    name,
    { ...services[name], ...ferretdb[name] } as Service,
  ]),
);

const VALUES: TopologyValues = {
  secrets: "/secrets",
  publicUrl: "http://localhost:8080",
  edgeUrl: "http://nginx:8080",
  currency: "EUR",
  approvalThresholdMinor: "",
  openPromotionsMax: "",
  reportTimeZone: "UTC",
  expiryNoticeHours: "",
  kafkaBrokers: "kafka-1:9092,kafka-2:9092,kafka-3:9092",
  kafkaReplicationFactor: "3",
  kafkaMinInsyncReplicas: "2",
  usersGrpcTarget: "dns:///users:50051",
  adminEmail: "admin@casino.example",
  mailFrom: "Casino <no-reply@casino.example>",
  rateLimits: "on",
  staffSecondFactor: "on",
};

/** Variables that every container of our image has (Dockerfile, docker/entrypoint.sh). */
const GIVEN_BY_IMAGE = ["HOST", "INTERNAL_PORT", "INSTANCE"];

const three = (name: string) => [1, 2, 3].map((id) => `${name}-${id}`);
/** The services that are one of the servers of the topology. */
const MEMBERS: Record<(typeof SERVERS)[number], string[]> = {
  postgres: ["postgres"],
  redis: [...three("redis"), ...three("sentinel")],
  kafka: three("kafka"),
  mongodb: [...three("mongodb"), "initiate-mongodb"],
  nginx: ["nginx"],
  mail: ["mailpit"],
};

function serviceOf(name: string, of: Services = services): Service {
  const service = of[name];
  if (service === undefined) throw new Error(`there is no service ${name}`);
  return service;
}

test.each([...TOPOLOGY])(
  "$name runs in Compose as the topology says",
  ({ name, entry, args = [], env, ports = [] }) => {
    const service = serviceOf(name);
    const bundle = `dist/${entry.replace(/\.ts$/, ".js")}`;
    expect(service.command).toEqual([bundle, ...args.map((argument) => fillIn(argument, VALUES))]);
    const given = Object.entries(service.environment ?? {}).filter(([key]) => !ports.includes(key as "PORT"));
    expect(Object.fromEntries(given.map(([key, value]) => [key, String(value)]))).toEqual(
      Object.fromEntries(Object.entries(env).map(([key, value]) => [key, fillIn(value, VALUES)])),
    );
  },
);

test.each(TOPOLOGY.filter(({ tier }) => tier !== "job"))(
  "$name is given in Compose exactly what its configuration asks for",
  async ({ name, entry }) => {
    const file = path.join(ROOT, path.dirname(entry), "config.ts");
    const { config } = (await import(file)) as { config: z.ZodObject };
    const environment = Object.keys(serviceOf(name).environment ?? {});
    const given = [...environment.map((key) => key.replace(/_FILE$/, "")), ...GIVEN_BY_IMAGE];
    const known = Object.keys(config.shape);
    const required = known.filter((key) => !config.shape[key].safeParse(undefined).success);
    expect(given.filter((key) => !known.includes(key))).toEqual([]);
    expect(required.filter((key) => !given.includes(key))).toEqual([]);
  },
);

test("the check of the invariants can be run in Compose, with what its configuration asks for", async () => {
  const { config } = await import("../jobs/check-invariants/config.ts");
  const { command, environment = {}, networks } = serviceOf("check-invariants");
  expect({ command, networks }).toEqual({ command: ["dist/jobs/check-invariants/main.js"], networks: ["data"] });
  const given = Object.keys(environment).map((key) => key.replace(/_FILE$/, ""));
  expect(given).toEqual(Object.keys(config.shape).filter((key) => !key.endsWith("_SECONDS")));
  expect(environment.KAFKA_BROKERS).toBe(VALUES.kafkaBrokers);
});

test("a second factor can be reset in Compose, for the address that the command names", async () => {
  const { config } = await import("../jobs/reset-second-factor/config.ts");
  const { command, environment = {}, networks } = serviceOf("reset-second-factor");
  expect({ command, networks }).toEqual({ command: ["dist/jobs/reset-second-factor/main.js"], networks: ["data"] });
  expect(Object.keys(environment).map((key) => key.replace(/_FILE$/, ""))).toEqual(Object.keys(config.shape));
});

test.each([
  ["MongoDB", services, MEMBERS],
  ["FerretDB", withFerretdb, { ...MEMBERS, mongodb: ["ferretdb"] }],
])("with %s, everything that a process needs is up or done before it", (_, all, members) => {
  for (const { name, needs } of TOPOLOGY) {
    const before = allBefore(name, all);
    const needed = needs.flatMap((need) => members[need as keyof typeof members] ?? [need]);
    expect({ name, missing: needed.filter((need) => !before.has(need)) }).toEqual({ name, missing: [] });
  }
});

function allBefore(name: string, all: Services, found = new Set<string>()): Set<string> {
  for (const [other, { condition }] of Object.entries(serviceOf(name, all).depends_on ?? {})) {
    const ends = serviceOf(other, all).restart === "no";
    expect({ name, other, condition }).toEqual({
      name,
      other,
      condition: ends ? "service_completed_successfully" : "service_healthy",
    });
    if (!found.has(other)) allBefore(other, all, found.add(other));
  }
  return found;
}

/** The hosts of a URL that may name several, as that of a replica set does. */
function hostsOf(url: string): string[] {
  const [, authority = ""] = /^\w+:\/\/(?:[^@]*@)?([^/]+)/.exec(url) ?? [];
  return authority.split(",").map((host) => host.replace(/:\d+$/, ""));
}

test.each([
  ["MongoDB", services],
  ["FerretDB", withFerretdb],
])("with %s, every connection leads to services that there are", (_, all) => {
  const { REDIS_URL, ...environment } = {
    ...serviceOf("create-connections").environment,
    ...serviceOf("create-connections", all).environment,
  };
  for (const [key, value] of Object.entries(environment).filter(([key]) => key.endsWith("_URL"))) {
    const missing = hostsOf(String(value)).filter((host) => all[host] === undefined);
    expect({ key, missing }).toEqual({ key, missing: [] });
  }
  const sentinels = parseSentinelUrl(String(REDIS_URL))?.sentinels.map(({ host }) => host);
  expect(sentinels).toEqual(three("sentinel"));
});

test("Kafka's nodes are set up in Compose as they are on one machine, but for their addresses and folders", () => {
  const own = ["NODE_ID", "CONTROLLER_QUORUM_VOTERS", "LISTENERS", "ADVERTISED_LISTENERS", "LOG_DIRS", "HEAP_OPTS"];
  const expected = Object.entries(clusterSettings(3)).map(([key, value]) => [
    `KAFKA_${key.replaceAll(".", "_").toUpperCase()}`,
    String(value),
  ]);
  for (const node of three("kafka")) {
    const given = Object.entries(serviceOf(node).environment ?? {}).filter(
      ([key]) => key.startsWith("KAFKA_") && !own.includes(key.slice("KAFKA_".length)),
    );
    expect(Object.fromEntries(given.map(([key, value]) => [key, String(value)]))).toEqual(Object.fromEntries(expected));
  }
});

test("PostgreSQL is set up in Compose as it is on one machine, but for its address", () => {
  const flags = [...String(serviceOf("postgres").command).matchAll(/-c (\w+)=(\S+)/g)].map(([, name, value]) => [
    name,
    value,
  ]);
  const ours = Object.entries(SERVER_SETTINGS).map(([name, value]) => [name, String(value)]);
  expect(Object.fromEntries(flags)).toEqual(Object.fromEntries(ours));
});

test("the replica set that is initiated is the one that clients ask for", () => {
  const url = String(serviceOf("create-connections").environment?.MONGODB_URL);
  expect(hostsOf(url)).toEqual(three("mongodb"));
  const [, name] = /replicaSet=(\w+)/.exec(url) ?? [];
  expect(read("docker/mongodb.sh")).toContain(`--replSet ${name} `);
  expect(read("docker/initiate-mongodb.js")).toContain(`rs.initiate({ _id: "${name}", members })`);
});

const containers = Object.entries(withFerretdb);

test.each(containers)("%s has no more rights and resources than it needs", (_, service) => {
  expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] });
  expect(service.logging).toEqual({ driver: "json-file", options: { "max-size": "20m", "max-file": "3" } });
  expect(service.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(service.deploy?.resources.limits).toEqual({ memory: expect.any(String), cpus: expect.any(String) });
  if (service.restart !== "no") expect(service.healthcheck).toBeDefined();
});

test("only nginx can be reached from outside, and it reaches no server", () => {
  expect(containers.filter(([, { ports }]) => ports !== undefined).map(([name]) => name)).toEqual(["nginx"]);
  expect(containers.filter(([, { networks }]) => networks?.includes("edge")).map(([name]) => name)).toEqual(["nginx"]);
  expect(serviceOf("nginx").networks).toEqual(["edge", "app"]);
  for (const name of [...Object.values(MEMBERS).flat(), "ferretdb"].filter((name) => name !== "nginx")) {
    expect(serviceOf(name, withFerretdb).networks).toEqual(name === "mailpit" ? ["mail"] : ["data"]);
  }
  expect(containers.filter(([, { networks }]) => networks?.includes("mail")).map(([name]) => name)).toEqual([
    "mailer",
    "mailpit",
  ]);
});

test("every function and the gateway run three times, every worker more than once", () => {
  for (const { name, tier } of TOPOLOGY.filter(({ tier }) => tier !== "job")) {
    const replicas = serviceOf(name).deploy?.replicas ?? 1;
    expect({ name, enough: tier === "worker" ? replicas > 1 : replicas === 3 }).toEqual({ name, enough: true });
  }
});

test("nginx hands requests to every service that serves HTTP, where it listens", () => {
  const served = TOPOLOGY.filter(({ ports }) => ports?.includes("PORT")).map(({ name }) => name);
  const expected = served.map((name) => [name, `${name}:${serviceOf(name).environment?.PORT}`]);
  const targetsIn = (file: string) =>
    [...read(file).matchAll(/map "" \$(\w+) \{ default (\S+); \}/g)].map(([, name, target]) => [name, target]);
  expect(targetsIn("nginx/compose.lookups.conf")).toEqual(expected);
  const upstreams = read("nginx/compose.upstreams.conf").matchAll(/upstream (\w+) \{[^}]*?server (\S+) resolve/g);
  expect([...upstreams].map(([, name, target]) => [name, target])).toEqual(expected);
  for (const file of ["nginx/compose.upstreams.conf", "nginx/stack.conf.template"]) {
    expect({ file, targets: targetsIn(file) }).toEqual({ file, targets: served.map((name) => [name, name]) });
  }
  const used = [...read("nginx/locations.conf").matchAll(/proxy_pass http:\/\/\$(\w+)/g)].map(([, name]) => name);
  expect([...new Set(used)].sort()).toEqual([...served].sort());
});
