import { readFileSync } from "node:fs";
import { z } from "zod";
import { parseSentinelUrl } from "./redis-sentinel.ts";

/** Thrown when the environment does not fit; its message names every wrong variable at once. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/**
 * Reads a process's configuration. Call it once, in `main.ts`.
 *
 * @param schema a flat zod object whose keys are the environment variables this process needs
 * @param env usually `process.env`; a key `X` may also be given as `X_FILE`, the path of a file that holds the value
 * @returns the parsed values
 * @throws ConfigError naming every variable that is missing or wrong
 */
export function loadConfig<T extends z.ZodObject>(schema: T, env: Record<string, string | undefined>): z.output<T> {
  const raw: Record<string, string | undefined> = {};
  const problems: string[] = [];
  for (const key of Object.keys(schema.shape)) {
    const file = env[`${key}_FILE`];
    if (file === undefined) {
      raw[key] = env[key] === "" ? undefined : env[key];
      continue;
    }
    try {
      raw[key] = readFileSync(file, "utf8").trim();
    } catch (error) {
      problems.push(`${key}_FILE: cannot read ${file} (${(error as NodeJS.ErrnoException).code})`);
    }
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const key = issue.path.join(".");
      if (!problems.some((problem) => problem.startsWith(`${key}_FILE`))) problems.push(`${key}: ${issue.message}`);
    }
  }
  if (problems.length > 0 || !parsed.success) {
    throw new ConfigError(`Bad configuration:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
  }
  return parsed.data;
}

const wholeNumber = (min: number, max: number) =>
  z
    .string({ error: "is required" })
    .regex(/^\d{1,15}$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`);
const port = wholeNumber(1, 65_535);
const secret = z.string({ error: "is required" }).min(32, "must have at least 32 characters");
const url = (protocols: string[]) =>
  z
    .string({ error: "is required" })
    .refine((value) => protocols.some((protocol) => value.startsWith(`${protocol}://`)), {
      error: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}://`).join(" or ")}`,
    });

/** The field types that configurations are made of, so that one variable means the same in every process. */
export const field = {
  wholeNumber,
  port,
  secret,
  postgresUrl: url(["postgres", "postgresql"]),
  /** One server, or a primary that Sentinels know: `redis+sentinel://:password@host:port,host:port/primary-name`. */
  redisUrl: url(["redis", "rediss", "redis+sentinel"]).refine(
    (value) => !value.startsWith("redis+sentinel:") || parseSentinelUrl(value) !== undefined,
    "must be like redis+sentinel://:password@host:port,host:port/primary-name",
  ),
  mongodbUrl: url(["mongodb", "mongodb+srv"]),
  httpUrl: url(["http", "https"]),
  grpcTarget: z.string({ error: "is required" }).min(1),
  kafkaBrokers: z
    .string({ error: "is required" })
    .transform((value) => value.split(",").map((broker) => broker.trim()))
    .refine((brokers) => brokers.every((broker) => /^[^:\s]+:\d+$/.test(broker)), {
      error: "must be a comma-separated list of host:port",
    }),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, "must be an ISO 4217 code such as EUR")
    .default("EUR"),
};

/** What every long-running process takes. */
export const baseConfig = {
  HOST: z.string().default("127.0.0.1"),
  INTERNAL_PORT: port,
  INSTANCE: z.string().default("local"),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
};

/** What every process takes that verifies access tokens. The issuer and audience are those Users signs for. */
export const tokenConfig = {
  JWT_ISSUER: z.string().default("casino-users"),
  JWT_AUDIENCE: z.string().default("casino"),
};
