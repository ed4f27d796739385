import { readFileSync } from "node:fs";
import { z } from "zod";
import { parseSentinelUrl } from "./redis-sentinel.ts";

declare module "zod" {
  /** What docs/configuration.md says of a variable, besides its `description`; stack/configuration.ts writes it. */
  interface GlobalMeta {
    /** Of a value, in a few words. */
    valueType?: string;
    /** Whether it is to be given as a file, or may hold a password. */
    isSecret?: boolean;
  }
}

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
      const isMissing = issue.code === "invalid_type" && issue.path.length === 1 && raw[key] === undefined;
      const problem = isMissing ? "is required" : issue.message;
      if (!problems.some((known) => known.startsWith(`${key}_FILE`))) problems.push(`${key}: ${problem}`);
    }
  }
  if (problems.length > 0 || !parsed.success) {
    throw new ConfigError(`Bad configuration:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
  }
  return parsed.data;
}

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`)
    .meta({ valueType: `whole number, ${min.toLocaleString("en")} to ${max.toLocaleString("en")}` });
const url = (protocols: string[]) =>
  z
    .string()
    .refine((value) => protocols.some((protocol) => value.startsWith(`${protocol}://`)), {
      error: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}://`).join(" or ")}`,
    })
    .meta({ valueType: `URL: ${protocols.map((protocol) => `\`${protocol}://\``).join(", ")}` });
const secret = z
  .string()
  .min(32, "must have at least 32 characters")
  .meta({ valueType: "text of at least 32 characters", isSecret: true });

/** Names alone: of offsets such as +02:00, PostgreSQL and JavaScript take opposite signs. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The field types that configurations are made of, so that one variable means the same in every process. */
export const field = {
  wholeNumber,
  port: wholeNumber(1, 65_535).meta({ valueType: "port" }),
  reportTimeZone: z
    .string()
    .refine(isTimeZone, "must be the name of a time zone, such as Europe/Malta")
    .default("UTC")
    .meta({ valueType: "IANA time zone", description: "whose days reports have; the same everywhere" }),
  secret,
  postgresUrl: url(["postgres", "postgresql"]).meta({ isSecret: true }),
  /** One server, or a primary that Sentinels know: `redis+sentinel://:password@host:port,host:port/primary-name`. */
  redisUrl: url(["redis", "rediss", "redis+sentinel"])
    .refine(
      (value) => !value.startsWith("redis+sentinel:") || parseSentinelUrl(value) !== undefined,
      "must be like redis+sentinel://:password@host:port,host:port/primary-name",
    )
    .meta({ isSecret: true }),
  mongodbUrl: url(["mongodb", "mongodb+srv"]).meta({ isSecret: true }),
  httpUrl: url(["http", "https"]),
  smtpUrl: url(["smtp", "smtps"]).meta({ isSecret: true }),
  mailLinkKey: secret.meta({
    description:
      "makes the tokens of links in mails; the same everywhere, and another one makes those that are out void",
  }),
  grpcTarget: z
    .string()
    .min(1)
    .meta({ valueType: "gRPC target: `dns:///users:50051`, `ipv4:10.0.0.1:50051,10.0.0.2:50051`" }),
  kafkaBrokers: z
    .string()
    .transform((value) => value.split(",").map((broker) => broker.trim()))
    .refine((brokers) => brokers.every((broker) => /^[^:\s]+:\d+$/.test(broker)), {
      error: "must be a comma-separated list of host:port",
    })
    .meta({
      valueType: "list of `host:port`, separated by commas",
      description: "Kafka; who answers tells of the others",
    }),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, "must be an ISO 4217 code such as EUR")
    .default("EUR")
    .meta({ valueType: "ISO 4217 code", description: "of all money; the same everywhere" }),
  rateLimits: z.enum(["on", "off"]).default("on").meta({
    description:
      "of logins, registrations, mails and wrong promotion codes by network address; `off` for load from one machine",
  }),
};

/** What every long-running process takes. */
export const baseConfig = {
  HOST: z.string().default("127.0.0.1").meta({ description: "address on which it opens its ports" }),
  INTERNAL_PORT: field.port.meta({ description: "health and metrics; not for the public" }),
  INSTANCE: z.string().default("local").meta({ description: "its name in logs and in `pg_stat_activity`" }),
  LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .default("info")
    .meta({ description: "lines of less weight are not logged" }),
};

/** What every process takes that verifies access tokens. The issuer and audience are those Users signs for. */
export const tokenConfig = {
  JWT_ISSUER: z.string().default("casino-users").meta({ description: "`iss` of access tokens; the same everywhere" }),
  JWT_AUDIENCE: z.string().default("casino").meta({ description: "`aud` of access tokens; the same everywhere" }),
};
