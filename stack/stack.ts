import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { lockHolder, tryLock, unlock } from "./bootstrap/process-lock.mjs";
import { StackError } from "./errors.ts";
import type { ServerContext } from "./infrastructure/context.ts";
import { kafkaBrokers } from "./infrastructure/kafka.ts";
import { detectMongodb, mongodbUrl } from "./infrastructure/mongodb.ts";
import { postgresUrl } from "./infrastructure/postgres.ts";
import { redisUrl } from "./infrastructure/redis.ts";
import { type Layout, layoutOf } from "./plan/layout.ts";
import { neededPorts, type Plan, startSteps, usersGrpcTarget } from "./plan/plan.ts";
import { choosePorts, HOST, requirePublicPort } from "./plan/ports.ts";
import { newState, readState, type StackState, writeState } from "./plan/state.ts";
import { writeConnectionSecrets } from "./secrets.ts";
import type { ProcessStatus } from "./supervisor/process-spec.ts";
import { endLeftovers, readProcessTable } from "./supervisor/process-table.ts";
import { runSteps, type StepEvent } from "./supervisor/start-graph.ts";
import { type DeathNotice, Supervisor } from "./supervisor/supervisor.ts";

/** What `startStack` is asked for. */
export interface StackOptions {
  /** The folder of the stack's data; made if it is not there. */
  dir: string;
  /** The public port, on 127.0.0.1. */
  port: number;
  /** Instances of every function and of the gateway; one by default. */
  replicas?: number | undefined;
  /** Kafka nodes; one by default. Can't change once the folder has data. */
  brokers?: 1 | 3 | undefined;
  /** Instances by worker; one where it is not named. */
  workers?: Readonly<Record<string, number>> | undefined;
  /** The first admin; generated once and kept where it is not given. */
  admin?: { email?: string | undefined; password?: string | undefined } | undefined;
  /** ISO 4217; EUR by default. */
  currency?: string | undefined;
  /** How many open promotions a player may have; any number by default. */
  approvalThresholdMinor?: string | undefined;
  openPromotionsMax?: string | undefined;
  /** IANA's name; UTC by default */
  reportTimeZone?: string | undefined;
  /** How long before the end of their time to claim a promotion a player is told; the worker's own default by default. */
  expiryNoticeHours?: string | undefined;
  /** Limits by network address, at nginx and of logins and registrations; off by default, for load from this machine. */
  rateLimits?: "on" | "off" | undefined;
  /** Whether staff and admins need a second factor; off by default, where only this machine's user gets at it. */
  staffSecondFactor?: "on" | "off" | undefined;
  onStep?: ((event: StepEvent) => void) | undefined;
  onDeath?: ((notice: DeathNotice) => void) | undefined;
  /** Gives the start up: what was started is stopped, and `startStack` rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** A stack that runs. */
export interface Stack {
  url: string;
  dir: string;
  admin: { email: string; password: string };
  endpoints: {
    postgresAdminUrl: string;
    usersDatabaseUrl: string;
    promotionsDatabaseUrl: string;
    redisUrl: string;
    mongodbUrl: string;
    kafkaBrokers: string[];
    usersGrpcTarget: string;
    serviceToken: string;
  };
  processes(): ProcessStatus[];
  /** Ends a process in its own way; it stays down. */
  stopProcess(name: string): Promise<void>;
  /** Starts a process that was stopped and waits until it is ready. */
  startProcess(name: string): Promise<void>;
  /** Sends a signal to a process and its children. If it ends of it, it is started again, as any that dies. */
  kill(name: string, signal: NodeJS.Signals): void;
  /** Ends everything within 15 seconds. The folder can be started again. */
  stop(): Promise<void>;
}

/**
 * Starts the whole system: servers, migrations, functions, workers, gateway and nginx.
 *
 * @returns when everything is ready
 * @throws StackError saying what went wrong, after stopping what had started
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const layout = layoutOf(resolve(options.dir));
  mkdirSync(layout.dir, { recursive: true, mode: 0o711 });
  const holder = tryLock(layout.lock);
  if (holder !== undefined) {
    throw new StackError(`The stack in ${layout.dir} runs already (pid ${holder}). See it: npm run status`);
  }
  const supervisor = new Supervisor(layout.processes, options.onDeath ?? (() => {}));
  try {
    const plan = await prepare(layout, options);
    const steps = startSteps(plan, supervisor);
    await runSteps(steps, options.onStep ?? (() => {}), options.signal ?? new AbortController().signal);
    return runningStack(plan, supervisor);
  } catch (error) {
    await supervisor.stopAll();
    unlock(layout.lock);
    throw error;
  }
}

/** @returns the pid of the process that runs the stack in this folder, if any */
export function stackRunner(dir: string): number | undefined {
  return lockHolder(layoutOf(dir).lock);
}

async function prepare(layout: Layout, options: StackOptions): Promise<Plan> {
  const scale = { replicas: options.replicas ?? 1, brokers: options.brokers ?? 1, workers: options.workers ?? {} };
  const earlier = readState(layout);
  const state = earlier ?? newState(scale.brokers);
  requireSameBrokers(layout, state, scale.brokers);
  await endLeftovers(readProcessTable(layout.processes));
  await requirePublicPort(options.port);
  const mongodb = detectMongodb(process.env);
  const email = options.admin?.email ?? state.admin.email;
  // An admin who exists keeps their password, so what is printed has to be that one.
  const password = earlier?.admin.email === email ? undefined : options.admin?.password;
  state.admin = { email, password: password ?? state.admin.password };
  state.ports = await choosePorts(neededPorts(scale, mongodb), state.ports);
  writeState(layout, state);
  const context: ServerContext = { layout, state, ports: state.ports };
  writeConnectionSecrets(context, mongodb);
  return {
    context,
    scale,
    mongodb,
    publicPort: options.port,
    publicUrl: `http://${HOST}:${options.port}`,
    currency: options.currency ?? "EUR",
    approvalThresholdMinor: options.approvalThresholdMinor ?? "",
    openPromotionsMax: options.openPromotionsMax ?? "",
    reportTimeZone: options.reportTimeZone ?? "UTC",
    expiryNoticeHours: options.expiryNoticeHours ?? "",
    rateLimits: options.rateLimits ?? "off",
    staffSecondFactor: options.staffSecondFactor ?? "off",
  };
}

/** The controllers' quorum and the topics' replicas are made for a number of nodes and don't follow a new one. */
function requireSameBrokers(layout: Layout, state: StackState, brokers: number): void {
  if (state.brokers === brokers) return;
  throw new StackError(
    `The stack in ${layout.dir} has ${state.brokers} Kafka node(s), and that can't change to ${brokers} while it has ` +
      `data. Start with --brokers ${state.brokers}, or delete its data first: npm run reset`,
  );
}

function runningStack(plan: Plan, supervisor: Supervisor): Stack {
  const { context, mongodb } = plan;
  let stopped: Promise<void> | undefined;
  return {
    url: plan.publicUrl,
    dir: context.layout.dir,
    admin: context.state.admin,
    endpoints: {
      postgresAdminUrl: postgresUrl(context, "postgres"),
      usersDatabaseUrl: postgresUrl(context, "users"),
      promotionsDatabaseUrl: postgresUrl(context, "promotions"),
      redisUrl: redisUrl(context),
      mongodbUrl: mongodbUrl(context, mongodb),
      kafkaBrokers: kafkaBrokers(context),
      usersGrpcTarget: usersGrpcTarget(plan),
      serviceToken: readFileSync(join(context.layout.secrets, "service-token"), "utf8").trim(),
    },
    processes: () => supervisor.list(),
    stopProcess: (name) => supervisor.stop(name),
    startProcess: (name) => supervisor.start(name),
    kill: (name, signal) => supervisor.signal(name, signal),
    stop: () => {
      stopped ??= supervisor.stopAll().finally(() => unlock(context.layout.lock));
      return stopped;
    },
  };
}
