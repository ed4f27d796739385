import { existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run, SetupError, which } from "./command.mjs";
import { TOOLS, toolEnvironment } from "./paths.mjs";

/**
 * The npm that installs the dependencies. Not the machine's: npm 11.19 refuses every lockfile whose packages have
 * optional dependencies that the registry lacks ("Missing: @uwsjs/darwin-arm64-22@ from lock file"), which is the case
 * for uWebSockets.js; npm 10 passes them over, as the documentation of `optionalDependencies` says.
 */
const NPM_VERSION = "10.9.9";

/**
 * Runs an npm under a given Node.js.
 *
 * @param {string} what what it is for, as a failure names it
 * @param {string} node the Node.js that npm and all install scripts run under
 * @param {string[]} args
 * @param {{cwd: string, cli?: string, binFolders?: string[], onLine?: (line: string) => void}} options `cli` is npm's
 *   script, by default that of the machine's npm
 * @returns {Promise<string>} its standard output
 */
export function npm(what, node, args, { cwd, cli = findNpmCli(), binFolders, onLine }) {
  const env = toolEnvironment(binFolders);
  // npm looks for the machine's settings (registry, certificates) beside the Node.js it runs under, so under one in an
  // own folder it has to be told where they are: beside the machine's npm.
  const settings = [env.npm_config_globalconfig, join(dirname(findNpmCli()), "../../../../etc/npmrc")];
  env.npm_config_globalconfig = settings.find((path) => path && existsSync(path));
  delete env.npm_config_local_prefix;
  return run(what, node, [cli, ...args, "--no-audit", "--no-fund", "--no-update-notifier"], { cwd, env, onLine });
}

/** @returns {string} npm's own script, so that it can be run by another Node.js than the one in its first line */
function findNpmCli() {
  const candidates = [process.env.npm_execpath, which("npm")].filter(Boolean).map((path) => realpathSync(path));
  const cli = candidates.find((path) => path.endsWith("npm-cli.js") && existsSync(path));
  if (cli) return cli;
  throw new SetupError("npm is missing. Debian: apt-get install npm. macOS: brew install node");
}

/**
 * Installs the project's npm into its own tools, unless it is there.
 *
 * @param {string} node the Node.js to run with
 * @returns {Promise<string>} the path of its script
 */
export async function ownNpm(node) {
  const folder = join(TOOLS, `npm-${NPM_VERSION}`);
  const cli = join(folder, "node_modules/npm/bin/npm-cli.js");
  if (existsSync(cli)) return cli;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  const args = ["install", "--no-save", "--no-package-lock", `npm@${NPM_VERSION}`];
  await npm(`Installing npm ${NPM_VERSION}`, node, args, { cwd: folder });
  return cli;
}
