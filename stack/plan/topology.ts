/**
 * What runs, with which environment, after what. The one list of this project's processes: the stack starts it, and
 * tests hold it against each process's configuration schema and against the containers' definitions.
 *
 * Values in braces are filled in by the deployment (`TopologyValues`). A variable `X_FILE` names a file that holds `X`.
 */
export interface ProcessDefinition {
  /** Also the role in `npm run status`; instances are called `<name>-1`, `<name>-2`, … */
  name: string;
  tier: "job" | "function" | "gateway" | "worker";
  /** The source file; its bundle is `dist/<same path>.js`. */
  entry: string;
  args?: readonly string[];
  /** Ports of its own, besides `INTERNAL_PORT`, which all but jobs have. */
  ports?: readonly ("PORT" | "GRPC_PORT")[];
  env: Readonly<Record<string, string>>;
  /** Servers, jobs and processes that have to be ready (or done) first. */
  needs: readonly string[];
}

/** What the values in braces stand for. */
export interface TopologyValues {
  /** Folder of the secrets' files. */
  secrets: string;
  /** Where clients reach nginx. */
  publicUrl: string;
  /** Where processes reach nginx. */
  edgeUrl: string;
  currency: string;
  /** "" is any number. */
  approvalThresholdMinor: string;
  openPromotionsMax: string;
  reportTimeZone: string;
  /** "" is the worker's default. */
  expiryNoticeHours: string;
  kafkaBrokers: string;
  kafkaReplicationFactor: string;
  kafkaMinInsyncReplicas: string;
  usersGrpcTarget: string;
  adminEmail: string;
  /** Who writes mails. */
  mailFrom: string;
  /** `on` or `off`. */
  rateLimits: string;
  /** `on` or `off`. */
  staffSecondFactor: string;
}

const jwks = { JWKS_URL: "{edgeUrl}/users/.well-known/jwks.json" };
const currency = { CURRENCY: "{currency}" };
const serviceToken = { SERVICE_TOKEN_FILE: "{secrets}/service-token" };
const usersDatabase = { DATABASE_URL_FILE: "{secrets}/users-database-url" };
const promotionsDatabase = { DATABASE_URL_FILE: "{secrets}/promotions-database-url" };
const redis = { REDIS_URL_FILE: "{secrets}/redis-url" };
const mongodb = { MONGODB_URL_FILE: "{secrets}/mongodb-url" };
const kafka = { KAFKA_BROKERS: "{kafkaBrokers}" };
const mailLinkKey = { MAIL_LINK_KEY_FILE: "{secrets}/mail-link-key" };
const usersGrpc = { USERS_GRPC_TARGET: "{usersGrpcTarget}" };

const JOBS: readonly ProcessDefinition[] = [
  {
    name: "create-secrets",
    tier: "job",
    entry: "jobs/create-secrets/main.ts",
    args: ["{secrets}"],
    env: {},
    needs: [],
  },
  {
    name: "migrate-users",
    tier: "job",
    entry: "jobs/migrate/main.ts",
    env: { SERVICE: "users", ...usersDatabase },
    needs: ["postgres"],
  },
  {
    name: "migrate-promotions",
    tier: "job",
    entry: "jobs/migrate/main.ts",
    env: { SERVICE: "promotions", ...promotionsDatabase },
    needs: ["postgres"],
  },
  {
    name: "create-admin",
    tier: "job",
    entry: "jobs/create-admin/main.ts",
    env: {
      ...usersDatabase,
      ...currency,
      ADMIN_EMAIL: "{adminEmail}",
      ADMIN_PASSWORD_FILE: "{secrets}/admin-password",
    },
    needs: ["migrate-users"],
  },
  {
    name: "create-topics",
    tier: "job",
    entry: "jobs/create-topics/main.ts",
    env: {
      ...kafka,
      KAFKA_REPLICATION_FACTOR: "{kafkaReplicationFactor}",
      KAFKA_MIN_INSYNC_REPLICAS: "{kafkaMinInsyncReplicas}",
    },
    needs: ["kafka"],
  },
];

const SERVICES: readonly ProcessDefinition[] = [
  {
    name: "users",
    tier: "function",
    entry: "functions/users/main.ts",
    ports: ["PORT", "GRPC_PORT"],
    env: {
      ...usersDatabase,
      ...redis,
      JWT_SIGNING_KEYS_FILE: "{secrets}/jwt-signing-keys.json",
      REFRESH_TOKEN_KEY_FILE: "{secrets}/refresh-token-key",
      SECOND_FACTOR_KEY_FILE: "{secrets}/second-factor-key",
      STAFF_SECOND_FACTOR: "{staffSecondFactor}",
      REQUIRE_VERIFIED_EMAIL: "off",
      ...mailLinkKey,
      ...serviceToken,
      ...currency,
      REPORT_TIME_ZONE: "{reportTimeZone}",
      PUBLIC_URL: "{publicUrl}",
      RATE_LIMITS: "{rateLimits}",
    },
    needs: ["create-secrets", "migrate-users", "redis"],
  },
  {
    name: "promotions",
    tier: "function",
    entry: "functions/promotions/main.ts",
    ports: ["PORT"],
    env: {
      ...promotionsDatabase,
      ...redis,
      ...jwks,
      ...usersGrpc,
      ...serviceToken,
      ...currency,
      REPORT_TIME_ZONE: "{reportTimeZone}",
      APPROVAL_THRESHOLD_MINOR: "{approvalThresholdMinor}",
      MAX_OPEN_PROMOTIONS_PER_PLAYER: "{openPromotionsMax}",
      RATE_LIMITS: "{rateLimits}",
    },
    needs: ["create-secrets", "migrate-promotions", "redis", "nginx"],
  },
  {
    name: "notifications",
    tier: "function",
    entry: "functions/notifications/main.ts",
    ports: ["PORT"],
    env: { ...mongodb, ...redis, ...jwks },
    needs: ["mongodb", "redis", "nginx"],
  },
  {
    name: "gateway",
    tier: "gateway",
    entry: "gateway/main.ts",
    ports: ["PORT"],
    // Twice what nginx takes (four buffers of 8k): it is nginx that refuses what is too long.
    env: { ...mongodb, ...redis, ...jwks, UWS_HTTP_MAX_HEADERS_SIZE: "65536" },
    needs: ["mongodb", "redis", "nginx"],
  },
];

const WORKERS: readonly ProcessDefinition[] = [
  {
    name: "outbox-relay-users",
    tier: "worker",
    entry: "workers/outbox-relay/main.ts",
    env: { ...usersDatabase, ...kafka },
    needs: ["migrate-users", "create-topics"],
  },
  {
    name: "outbox-relay-promotions",
    tier: "worker",
    entry: "workers/outbox-relay/main.ts",
    env: { ...promotionsDatabase, ...kafka },
    needs: ["migrate-promotions", "create-topics"],
  },
  {
    name: "welcome-bonus",
    tier: "worker",
    entry: "workers/welcome-bonus/main.ts",
    env: { ...promotionsDatabase, ...kafka },
    needs: ["migrate-promotions", "create-topics"],
  },
  {
    name: "notifier",
    tier: "worker",
    entry: "workers/notifier/main.ts",
    env: { ...mongodb, ...redis, ...kafka },
    needs: ["mongodb", "redis", "create-topics"],
  },
  {
    name: "claim-reconciler",
    tier: "worker",
    entry: "workers/claim-reconciler/main.ts",
    env: { ...promotionsDatabase, ...usersGrpc, ...serviceToken, ...currency },
    needs: ["create-secrets", "migrate-promotions"],
  },
  {
    name: "assignment-expirer",
    tier: "worker",
    entry: "workers/assignment-expirer/main.ts",
    env: { ...promotionsDatabase, ...kafka, EXPIRY_NOTICE_HOURS: "{expiryNoticeHours}" },
    needs: ["migrate-promotions", "create-topics"],
  },
  {
    name: "mailer",
    tier: "worker",
    entry: "workers/mailer/main.ts",
    env: {
      ...usersDatabase,
      ...mailLinkKey,
      SMTP_URL_FILE: "{secrets}/smtp-url",
      MAIL_FROM: "{mailFrom}",
      MAIL_LINKS_URL: "{publicUrl}/account",
    },
    needs: ["create-secrets", "migrate-users", "mail"],
  },
];

/** Every process of this project, jobs first. */
export const TOPOLOGY: readonly ProcessDefinition[] = [...JOBS, ...SERVICES, ...WORKERS];

/** The servers that processes may need; nginx is one, since tokens are verified with keys fetched through it. */
export const SERVERS = ["postgres", "redis", "kafka", "mongodb", "nginx", "mail"] as const;

/** @returns `text` with every value in braces filled in; a name that has no value is a defect and throws */
export function fillIn(text: string, values: TopologyValues): string {
  return text.replace(/\{(\w+)\}/g, (_, key: string) => {
    if (!(key in values)) throw new Error(`topology: no value for {${key}} in ${text}`);
    return values[key as keyof TopologyValues];
  });
}
