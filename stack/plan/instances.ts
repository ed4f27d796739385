import { existsSync } from "node:fs";
import { join } from "node:path";
import { StackError } from "../errors.ts";
import { baseEnvironment, placeOf, portOf, type ServerContext } from "../infrastructure/context.ts";
import { probeHealth } from "../supervisor/probes.ts";
import type { Command, ProcessSpec } from "../supervisor/process-spec.ts";
import { ROOT } from "./layout.ts";
import type { Scale } from "./options.ts";
import { HOST } from "./ports.ts";
import { fillIn, type ProcessDefinition, type TopologyValues } from "./topology.ts";

/** @returns the instances' names: `users-1`, `users-2`, … */
export function instanceNames(definition: ProcessDefinition, scale: Scale): string[] {
  const count = definition.tier === "worker" ? (scale.workers[definition.name] ?? 1) : scale.replicas;
  return Array.from({ length: count }, (_, index) => `${definition.name}-${index + 1}`);
}

/** @returns the keys of the ports that an instance needs, as `choosePorts` takes them */
export function portKeys(definition: ProcessDefinition, instance: string): string[] {
  return ["INTERNAL_PORT", ...(definition.ports ?? [])].map((variable) => `${instance}.${variable}`);
}

/** @returns how to run an instance of a function, of the gateway or of a worker */
export function instanceSpec(
  context: ServerContext,
  definition: ProcessDefinition & { tier: ProcessSpec["tier"] },
  instance: string,
  values: TopologyValues,
): ProcessSpec {
  const ports = portKeys(definition, instance).map((key) => [key.slice(instance.length + 1), portOf(context, key)]);
  const variables = Object.fromEntries(ports) as { INTERNAL_PORT: number; PORT?: number; GRPC_PORT?: number };
  const base = command(context, definition, instance, values);
  const numbers = Object.entries(variables).map(([name, port]) => [name, String(port)]);
  return {
    ...base,
    env: { ...base.env, HOST, INSTANCE: instance, LOG_LEVEL: "info", ...Object.fromEntries(numbers) },
    role: definition.name,
    tier: definition.tier,
    port: variables.PORT,
    internalPort: variables.INTERNAL_PORT,
    stopSignal: "SIGTERM",
    probe: (signal) => probeHealth(variables.INTERNAL_PORT, "/readyz", signal),
    probeLife: (signal) => probeHealth(variables.INTERNAL_PORT, "/livez", signal),
  };
}

/** @returns how to run a process of the topology: a bundle, with its own variables and no others of ours */
export function command(
  context: ServerContext,
  definition: ProcessDefinition,
  name: string,
  values: TopologyValues,
): Command {
  const bundle = join(ROOT, "dist", definition.entry.replace(/\.ts$/, ".js"));
  if (!existsSync(bundle)) throw new StackError(`${bundle} is missing. npm start builds it.`);
  const fill = (text: string) => fillIn(text, values);
  const env = Object.entries(definition.env).map(([key, text]) => [key, fill(text)]);
  return {
    ...placeOf(context.layout, name),
    command: process.execPath,
    args: [bundle, ...(definition.args ?? []).map(fill)],
    env: { ...baseEnvironment(), NODE_ENV: "production", ...Object.fromEntries(env) },
  };
}
