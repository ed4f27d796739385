import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * What tells a process from a later one with the same pid: the boot it belongs to and its start time.
 *
 * @param {number} pid
 * @returns {string | undefined} undefined when no such process lives
 */
export function processIdentity(pid) {
  try {
    if (process.platform === "linux") {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      // The command name is in parentheses and may hold spaces; proc(5): state is field 3, starttime field 22.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z" || fields[0] === "X") return undefined;
      return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${fields[19]}`;
    }
    const started = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return started || undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} path of a lock file
 * @returns {number | undefined} the pid of the living process that holds it
 */
export function lockHolder(path) {
  return holderOf(readLock(path));
}

/**
 * Takes a lock file for this process. The lock of a process that died is taken over.
 *
 * @param {string} path
 * @returns {number | undefined} undefined when the lock is now ours, else the pid of the process that holds it
 */
export function tryLock(path) {
  mkdirSync(dirname(path), { recursive: true });
  const own = `${path}.${process.pid}`;
  writeFileSync(own, JSON.stringify({ pid: process.pid, identity: processIdentity(process.pid) }));
  try {
    for (;;) {
      try {
        linkSync(own, path);
        return undefined;
      } catch (error) {
        if (error.code !== "EEXIST") throw error;
      }
      const found = readLock(path);
      const holder = holderOf(found);
      if (holder !== undefined) return holder;
      if (found !== undefined) removeStaleLock(path, found);
    }
  } finally {
    rmSync(own, { force: true });
  }
}

/** @param {string} path of a lock that this process holds */
export function unlock(path) {
  if (lockHolder(path) === process.pid) rmSync(path, { force: true });
}

/** Renames first: between reading and removing, another process may have replaced the dead one's lock by its own. */
function removeStaleLock(path, staleContent) {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
    if (readLock(aside) !== staleContent) linkSync(aside, path);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function readLock(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function holderOf(content) {
  try {
    const { pid, identity } = JSON.parse(content);
    return identity !== undefined && processIdentity(pid) === identity ? pid : undefined;
  } catch {
    return undefined;
  }
}
