import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { replaceFile, writeOnce } from "../../lib/secret-files.ts";

/** Servers read their passwords as another user of the same group; URLs and the admin's password are for processes only. */
const GROUP_READABLE = 0o640;
const OWNER_READABLE = 0o600;

export interface ConnectionInput {
  /** By environment variable; `{name}` stands for the password of that name. */
  templates: Record<string, string | undefined>;
  /** Names of further passwords. */
  passwords: readonly string[];
  /** The first admin's; one is made once if it is not given. */
  adminPassword: string | undefined;
}

/**
 * Writes what processes and servers of one deployment log in to each other with. A password is made once and stays;
 * what is put together from it is written anew each time, since hosts and options may change.
 *
 * @param folder where each is a file: password `x` as `x`, variable `X_URL` as `x-url`
 * @returns the names of the files that were written now
 */
export async function createConnections(folder: string, input: ConnectionInput): Promise<string[]> {
  const written: string[] = [];
  const passwordOf = async (name: string) => {
    if (await writeOnce(folder, name, newPassword(), GROUP_READABLE)) written.push(name);
    return readFile(path.join(folder, name), "utf8");
  };
  for (const name of input.passwords) await passwordOf(name);
  for (const [variable, template] of Object.entries(input.templates)) {
    if (template === undefined) continue;
    let value = template;
    for (const [placeholder, name = ""] of template.matchAll(/\{([a-z-]+)\}/g)) {
      value = value.replace(placeholder, await passwordOf(name));
    }
    const file = variable.toLowerCase().replaceAll("_", "-");
    await replaceFile(folder, file, value, OWNER_READABLE);
    written.push(file);
  }
  if (input.adminPassword !== undefined) {
    await replaceFile(folder, "admin-password", input.adminPassword, OWNER_READABLE);
  } else if (!(await writeOnce(folder, "admin-password", newPassword(), OWNER_READABLE))) {
    return written;
  }
  return [...written, "admin-password"];
}

/** 192 bits in hexadecimal: the alphabet that URLs, configuration files and MongoDB's key file have in common. */
const newPassword = () => randomBytes(24).toString("hex");
