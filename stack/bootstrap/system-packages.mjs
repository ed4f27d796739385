import { run, SetupError, which } from "./command.mjs";

const CHROME_MACOS = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

/** Programs that come from the system: what proves them present, and the packages that bring them. */
const PROGRAMS = {
  redis: { programs: ["redis-server"], debian: "redis-server", macos: "brew install redis" },
  nginx: { programs: ["nginx"], debian: "nginx", macos: "brew install nginx" },
  chromium: {
    programs: ["chromium", "chromium-browser", "google-chrome", CHROME_MACOS],
    debian: "chromium",
    macos: "brew install --cask google-chrome",
  },
};

/**
 * Debian starts a service when its package is installed, but this project starts its own servers: the policy file of
 * invoke-rc.d(8) forbids it meanwhile. A first failure usually means a package list that is missing or too old.
 */
const APT_INSTALL = `
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\\nexit 101\\n' > $policy && chmod 755 $policy
  fi
  export DEBIAN_FRONTEND=noninteractive
  install() { apt-get -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"; }
  install "$@" || { apt-get update && install "$@"; }`;

/**
 * @param {(keyof typeof PROGRAMS)[]} wanted
 * @returns {(keyof typeof PROGRAMS)[]} those that the machine lacks
 */
export function missingPrograms(wanted) {
  return wanted.filter((name) => {
    const { programs } = PROGRAMS[name];
    return !programs.some((program) => which(program));
  });
}

/**
 * @param {(keyof typeof PROGRAMS)[]} missing
 * @returns {Promise<string[]>} a line for each program that has to be installed by hand: everywhere but on Debian and
 *   its kin, as root or with a sudo that asks for no password
 */
export async function programAdvice(missing) {
  const byHand = missing.length > 0 && !(which("apt-get") && (await rootPrefix()));
  return byHand ? missing.map(adviceFor) : [];
}

/**
 * Installs Debian's packages of what is missing.
 *
 * @param {import("./progress.mjs").Progress} progress
 * @param {(keyof typeof PROGRAMS)[]} missing
 * @throws {SetupError} with one line per program that is still missing afterwards
 */
export async function installPrograms(progress, missing) {
  const packages = missing.map((name) => PROGRAMS[name].debian);
  const [command, ...args] = [...((await rootPrefix()) ?? []), "sh", "-c", APT_INSTALL, "sh", ...packages];
  await progress.step(`System packages: ${packages.join(", ")}`, (report) =>
    run("apt-get install", command, args, { onLine: report }),
  );
  const still = missingPrograms(missing);
  if (still.length > 0) throw new SetupError(still.map(adviceFor).join("\n"));
}

function adviceFor(name) {
  const { debian, macos } = PROGRAMS[name];
  return `${name} is missing. Debian: apt-get install ${debian}. macOS: ${macos}`;
}

/** @returns {Promise<string[] | undefined>} what to put before a command that needs root */
async function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  try {
    await run("sudo", "sudo", ["-n", "true"]);
    return ["sudo", "-n"];
  } catch {
    return undefined;
  }
}
