import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run, which } from "./command.mjs";
import { findJava, javaAdvice } from "./java.mjs";
import { ROOT, TOOLS } from "./paths.mjs";

const POM = join(ROOT, "stack/kafka/pom.xml");

/** @returns {string} the folder that holds Kafka's jars */
export function kafkaFolder() {
  const version = /<kafka\.version>([^<]+)</.exec(readFileSync(POM, "utf8"))?.[1];
  return join(TOOLS, `kafka-${version}`);
}

/** @returns {boolean} */
export function hasKafka() {
  return findJava() !== undefined && existsSync(join(kafkaFolder(), "libs"));
}

/** @returns {Promise<string[]>} a line for each tool that Kafka or its installation needs and this machine lacks */
export async function kafkaAdvice() {
  const needsMaven = !existsSync(join(kafkaFolder(), "libs"));
  const maven = "Maven is missing. Debian: apt-get install maven. macOS: brew install maven";
  return [...(await javaAdvice()), ...(needsMaven && !which("mvn") ? [maven] : [])];
}

/**
 * Fetches Kafka's jars from Maven's repository.
 *
 * @param {import("./progress.mjs").Progress} progress
 */
export async function installKafka(progress) {
  const folder = kafkaFolder();
  if (existsSync(join(folder, "libs"))) return;
  await progress.step(folder.slice(TOOLS.length + 1).replace("kafka-", "Kafka "), async (report) => {
    mkdirSync(TOOLS, { recursive: true });
    const unfinished = mkdtempSync(join(TOOLS, "kafka-install-"));
    let files = 0;
    const onLine = (line) => {
      if (line.includes("Downloaded from") && line.includes(".jar")) report(`${++files} files`);
    };
    try {
      const goal = "dependency:copy-dependencies";
      const options = ["-DincludeScope=runtime", `-DoutputDirectory=${join(unfinished, "libs")}`];
      await run("Fetching Kafka", which("mvn") ?? "mvn", ["-B", "-f", POM, goal, ...options], { onLine });
      rmSync(folder, { recursive: true, force: true });
      renameSync(unfinished, folder);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
  });
}
