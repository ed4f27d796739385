import { link, rename, unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { errorCode } from "./errors.ts";
import { newId } from "./ids.ts";

/**
 * Writes a file unless there is one of that name. It is whole from the moment it has its name, and of several writers at
 * once the first one wins.
 *
 * @param mode who may read it, as in chmod
 * @returns whether it was written now
 */
export async function writeOnce(folder: string, name: string, content: string, mode: number): Promise<boolean> {
  const draft = await writeDraft(folder, name, content, mode);
  try {
    await link(draft, path.join(folder, name));
    return true;
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    return false;
  } finally {
    await unlink(draft);
  }
}

/** Writes a file in the place of the one that has its name; readers find the old one or the new one whole. */
export async function replaceFile(folder: string, name: string, content: string, mode: number): Promise<void> {
  await rename(await writeDraft(folder, name, content, mode), path.join(folder, name));
}

async function writeDraft(folder: string, name: string, content: string, mode: number): Promise<string> {
  const draft = path.join(folder, `.${name}.${newId()}`);
  await writeFile(draft, content, { mode, flag: "wx" });
  return draft;
}
