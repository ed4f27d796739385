import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { StackError } from "../errors.ts";
import { ROOT } from "./layout.ts";
import { TOPOLOGY } from "./topology.ts";

/** More instances than this of anything is a slip of the finger on one machine. */
const INSTANCES_MAX = 20;

/** How much of everything runs. */
export interface Scale {
  /** Instances of every function and of the gateway. */
  replicas: number;
  /** Kafka nodes, each broker and controller. */
  brokers: 1 | 3;
  /** Instances by worker; one where it is not named. */
  workers: Readonly<Record<string, number>>;
}

/** What `npm start` was asked for. */
export interface StartOptions extends Scale {
  dir: string;
  port: number;
  currency: string;
  approvalThresholdMinor: string;
  openPromotionsMax: string;
  reportTimeZone: string;
  expiryNoticeHours: string;
  rateLimits: "on" | "off";
  staffSecondFactor: "on" | "off";
  admin: { email: string | undefined; password: string | undefined };
}

type Environment = Record<string, string | undefined>;

/** @returns the folder that holds the stack's data: `STACK_DIR`, or `.stack` in the repository */
export function stackDir(env: Environment): string {
  return resolve(ROOT, env.STACK_DIR || ".stack");
}

/**
 * Reads the command line and the environment of `npm start`.
 *
 * @throws StackError naming what is wrong
 */
export function parseStartOptions(args: string[], env: Environment): StartOptions {
  const { values } = parseFlags(args);
  return {
    dir: stackDir(env),
    port: integer("PORT", env.PORT || "8080", 1, 65_535),
    currency: env.CURRENCY || "EUR",
    approvalThresholdMinor: env.APPROVAL_THRESHOLD_MINOR || "",
    openPromotionsMax: env.MAX_OPEN_PROMOTIONS_PER_PLAYER || "",
    reportTimeZone: env.REPORT_TIME_ZONE || "UTC",
    expiryNoticeHours: env.EXPIRY_NOTICE_HOURS || "",
    rateLimits: onOrOff("--rate-limits", values["rate-limits"]),
    staffSecondFactor: onOrOff("--staff-second-factor", values["staff-second-factor"]),
    admin: { email: env.ADMIN_EMAIL || undefined, password: env.ADMIN_PASSWORD || undefined },
    replicas: integer("--replicas", values.replicas, 1, INSTANCES_MAX),
    brokers: brokerCount(values.brokers),
    workers: workerCounts(values.workers),
  };
}

function parseFlags(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        replicas: { type: "string", default: "1" },
        brokers: { type: "string", default: "1" },
        workers: { type: "string", multiple: true, default: [] },
        "rate-limits": { type: "string", default: "on" },
        "staff-second-factor": { type: "string", default: "off" },
      },
    });
  } catch (error) {
    const usage =
      "npm start -- [--replicas N] [--brokers 1|3] [--workers name=N]… [--rate-limits on|off] [--staff-second-factor on|off]";
    throw new StackError(`${(error as Error).message}\nUsage: ${usage}`);
  }
}

function integer(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new StackError(`${name} must be a whole number from ${min} to ${max}, not "${text}"`);
}

function onOrOff(name: string, text: string): "on" | "off" {
  if (text === "on" || text === "off") return text;
  throw new StackError(`${name} must be on or off, not "${text}"`);
}

function brokerCount(text: string): 1 | 3 {
  if (text === "1") return 1;
  if (text === "3") return 3;
  throw new StackError(`--brokers must be 1 or 3, not "${text}"`);
}

/** `--workers notifier=2 --workers welcome-bonus=3`, also in one, separated by commas. */
function workerCounts(texts: string[]): Record<string, number> {
  const names = TOPOLOGY.filter(({ tier }) => tier === "worker").map(({ name }) => name);
  const counts: Record<string, number> = {};
  for (const text of texts.flatMap((list) => list.split(","))) {
    const [name = "", count = ""] = text.split("=");
    if (!names.includes(name)) {
      throw new StackError(`--workers: there is no worker "${name}"; there are ${names.join(", ")}`);
    }
    counts[name] = integer(`--workers ${name}`, count, 0, INSTANCES_MAX);
  }
  return counts;
}
