import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { buildBundles, hasBundles } from "./bundles.mjs";
import { SetupError } from "./command.mjs";
import { hasDependencies, installDependencies } from "./dependencies.mjs";
import { buildFerretdb, documentDatabaseAdvice, hasDocumentDatabase } from "./document-database.mjs";
import { hasKafka, installKafka, kafkaAdvice } from "./kafka.mjs";
import { findNode, installNode } from "./node-runtime.mjs";
import { TOOLS } from "./paths.mjs";
import { tryLock, unlock } from "./process-lock.mjs";
import { Progress } from "./progress.mjs";
import { installPrograms, missingPrograms, programAdvice } from "./system-packages.mjs";

const LOCK = join(TOOLS, "bootstrap.lock");

/**
 * Installs what is missing of `needs`. Two set-ups at once wait for each other.
 *
 * @param {("dependencies" | "servers" | "browser" | "bundles")[]} needs
 * @returns {Promise<string>} the path of the project's Node.js
 * @throws {SetupError} with one line per tool that has to be installed by hand
 */
export async function setUp(needs) {
  if (isComplete(needs)) return findNode();
  await takeLock();
  try {
    return isComplete(needs) ? findNode() : await installMissing(needs, new Progress());
  } finally {
    unlock(LOCK);
  }
}

function isComplete(needs) {
  return (
    findNode() !== undefined &&
    missingPrograms(programsFor(needs)).length === 0 &&
    (!needs.includes("servers") || (hasKafka() && hasDocumentDatabase())) &&
    (!needs.includes("dependencies") || hasDependencies()) &&
    (!needs.includes("bundles") || hasBundles())
  );
}

async function installMissing(needs, progress) {
  process.stderr.write("Setting up (only what is missing)\n");
  const missing = missingPrograms(programsFor(needs));
  await requireTools(needs, missing);
  const node = findNode() ?? (await installNode(progress));
  const tasks = [];
  if (needs.includes("dependencies") && !hasDependencies()) tasks.push(installDependencies(progress, node));
  if (missing.length > 0) tasks.push(installPrograms(progress, missing));
  if (needs.includes("servers")) tasks.push(installKafka(progress));
  if (needs.includes("servers") && !hasDocumentDatabase()) tasks.push(buildFerretdb(progress));
  await allOrErrors(tasks);
  if (needs.includes("bundles") && !hasBundles()) await buildBundles(progress, node);
  return node;
}

/** Names every missing tool at once, so that the user installs them in one go. */
async function requireTools(needs, missing) {
  const forServers = needs.includes("servers") ? [...(await kafkaAdvice()), ...documentDatabaseAdvice()] : [];
  const advice = [...forServers, ...(await programAdvice(missing))];
  if (advice.length > 0) throw new SetupError(advice.join("\n"));
}

/** Waits for all, so that no installation is cut off half-way when another fails. */
async function allOrErrors(tasks) {
  const errors = (await Promise.allSettled(tasks)).flatMap((result) => (result.reason ? [result.reason] : []));
  const unexpected = errors.find((error) => !(error instanceof SetupError));
  if (unexpected) throw unexpected;
  if (errors.length > 0) throw new SetupError(errors.map((error) => error.message).join("\n"));
}

function programsFor(needs) {
  return [...(needs.includes("servers") ? ["redis", "nginx"] : []), ...(needs.includes("browser") ? ["chromium"] : [])];
}

async function takeLock() {
  let told = false;
  for (;;) {
    const holder = tryLock(LOCK);
    if (holder === undefined) return;
    if (!told) process.stderr.write(`Waiting for another set-up of this folder (pid ${holder})\n`);
    told = true;
    await delay(300);
  }
}
