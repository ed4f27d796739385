import { join } from "node:path";
import { run, which } from "./command.mjs";

/** What Kafka 4's broker needs (https://kafka.apache.org/documentation/#java). */
const JAVA_MAJOR_MIN = 17;
const ADVICE = "Debian: apt-get install openjdk-17-jre-headless. macOS: brew install openjdk@17, and set JAVA_HOME";

/** @returns {string | undefined} the path of the machine's Java */
export function findJava() {
  const { JAVA_HOME } = process.env;
  return (JAVA_HOME && which(join(JAVA_HOME, "bin/java"))) || which("java");
}

/** @returns {Promise<string[]>} what to do when there is no Java that can run Kafka; empty when there is one */
export async function javaAdvice() {
  const java = findJava();
  if (!java) return [`Java ${JAVA_MAJOR_MIN} is missing. ${ADVICE}`];
  const lines = [];
  await run("java -version", java, ["-version"], { onLine: (line) => lines.push(line) }).catch(() => {});
  const version = /version "([^"]+)"/.exec(lines.join("\n"))?.[1];
  if (Number.parseInt(version ?? "", 10) >= JAVA_MAJOR_MIN) return [];
  return [`Java ${JAVA_MAJOR_MIN} or newer is needed; ${java} is ${version ?? "not a working Java"}. ${ADVICE}`];
}
