import { execa } from "execa";
import { ROOT } from "../../stack/plan/layout.ts";
import { until } from "../support/until.ts";

const PROJECT = "casino-test";
/** Beside the default 8080, which a running system may have. */
const PORT = "18080";
export const URL_OF_NGINX = `http://127.0.0.1:${PORT}`;
const FILES = ["-f", "docker-compose.yml", "-f", "docker-compose.ferretdb.yml"];
/** One that is configured by an environment variable must be the same at every `up`, else it is replaced. */
const env = {
  PORT,
  RATE_LIMITS: "off",
  STAFF_SECOND_FACTOR: "off",
  COMPOSE_PROJECT_NAME: PROJECT,
  COMPOSE_ANSI: "never",
};

/** @returns what `docker …` prints */
export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await execa("docker", args, { cwd: ROOT, env });
  return stdout;
}

/** `docker compose …` of the system under test. */
export const compose = (...args: string[]) => docker("compose", ...FILES, ...args);

/** Brings everything up and waits until it is healthy. @returns seconds */
export async function up(): Promise<number> {
  const startedAt = performance.now();
  try {
    await compose("up", "--wait", "--wait-timeout", "300");
  } catch (error) {
    console.error(await compose("ps", "--all", "--format", "table {{.Name}}\t{{.Status}}"));
    console.error(await compose("logs", "--tail", "15"));
    throw error;
  }
  return (performance.now() - startedAt) / 1000;
}

/** @returns ids of a service's containers that run, or of all with `--all` */
export async function containersOf(service: string, ...options: string[]): Promise<string[]> {
  const ids = (await compose("ps", "--quiet", ...options, service)).split("\n").filter(Boolean);
  if (ids.length === 0) throw new Error(`no container of ${service}`);
  return ids;
}

/** @returns what is in a file that only processes of ours may read */
export const readSecret = (name: string) => compose("exec", "--no-TTY", "users", "cat", `/secrets/${name}`);

/** Runs a shell command in the first container of a service. */
export const inContainer = (service: string, script: string) =>
  compose("exec", "--no-TTY", service, "sh", "-c", script);

export const untilHealthy = (container: string) =>
  until(
    `${container} is healthy`,
    async () => (await docker("inspect", "-f", "{{.State.Health.Status}}", container)) === "healthy",
    { timeoutMs: 90_000, intervalMs: 200 },
  );

/** Starts containers that were killed and waits until they are healthy. */
export async function startAgain(...containers: string[]): Promise<void> {
  await docker("start", ...containers);
  await Promise.all(containers.map(untilHealthy));
}

/** @returns the containers' addresses in the network that nginx reaches them by */
export async function addressesOf(service: string): Promise<string[]> {
  const format = `{{(index .NetworkSettings.Networks "${PROJECT}_app").IPAddress}}`;
  return (await docker("inspect", "-f", format, ...(await containersOf(service)))).split("\n");
}

export interface AccessLine {
  path: string;
  status: number;
  /** Every address that was tried, in order. */
  upstreams: string[];
}

/** @returns what nginx has logged since a moment */
export async function accessLog(since: Date): Promise<AccessLine[]> {
  const [nginx = ""] = await containersOf("nginx");
  const log = await docker("logs", "--since", since.toISOString(), nginx);
  return log
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .map(({ path, status, upstream }) => ({
      path,
      status,
      upstreams: upstream.split(/[,: ]+/).filter((part: string) => part.includes(".")),
    }));
}
