import { StackError } from "../errors.ts";
import { ManagedProcess } from "./managed-process.ts";
import type { ProcessSpec, ProcessStatus } from "./process-spec.ts";
import { writeProcessTable } from "./process-table.ts";

/** Time in milliseconds for one process that is stopped by itself. */
const STOP_TIMEOUT_MS = 12_000;

/** Changes within this time are written to the table on disk at once; a new pid is written without delay. */
const TABLE_DELAY_MS = 100;

/**
 * Who is stopped after whom, how long each group may take, and when it has to be over, in milliseconds from the
 * beginning of the stop; what has not ended by then is killed. Of several Kafka nodes that stop at once, the last waits
 * in vain for a controller. FerretDB lives on PostgreSQL, so that ends last.
 */
const STOP_GROUPS: readonly { includes: (spec: ProcessSpec) => boolean; graceMs: number; deadlineMs: number }[] = [
  { includes: ({ tier }) => tier === "proxy" || tier === "gateway", graceMs: 4_000, deadlineMs: 4_000 },
  { includes: ({ tier }) => tier === "function", graceMs: 7_000, deadlineMs: 7_000 },
  { includes: ({ tier }) => tier === "worker", graceMs: 9_000, deadlineMs: 10_000 },
  { includes: (spec) => spec.tier === "infrastructure" && !isPostgres(spec), graceMs: 4_000, deadlineMs: 13_000 },
  { includes: isPostgres, graceMs: 4_000, deadlineMs: 14_000 },
];

function isPostgres({ role }: ProcessSpec): boolean {
  return role === "postgres";
}

/** A process died and is going to be started again. */
export interface DeathNotice {
  name: string;
  how: string;
  retryMs: number;
}

/** The processes of one stack: started one by one, kept running, listed, stopped in order. */
export class Supervisor {
  readonly #processes = new Map<string, ManagedProcess>();
  readonly #tablePath: string;
  readonly #onDeath: (notice: DeathNotice) => void;
  #tableTimer: NodeJS.Timeout | undefined;
  #writtenPids = "";
  /** Nothing runs any more: the folder may be deleted, so nothing is written there. */
  #isOver = false;

  /**
   * @param tablePath where the table of processes is kept
   * @param onDeath told of every process that ended although it should run
   */
  constructor(tablePath: string, onDeath: (notice: DeathNotice) => void) {
    this.#tablePath = tablePath;
    this.#onDeath = onDeath;
  }

  /** Takes a process over, without starting it. */
  add(spec: ProcessSpec): void {
    const managed = new ManagedProcess(spec, {
      changed: () => this.#changed(),
      died: (_, how, retryMs) => this.#onDeath({ name: spec.name, how, retryMs }),
    });
    this.#processes.set(spec.name, managed);
  }

  /** Starts it and waits until it is ready; see `ManagedProcess.start`. */
  start(name: string, signal?: AbortSignal): Promise<void> {
    return this.#get(name).start(signal);
  }

  /** Ends it in its own way and keeps it down. */
  stop(name: string): Promise<void> {
    return this.#get(name).stop(STOP_TIMEOUT_MS);
  }

  /** Sends a signal to it and all that it started; if it ends of it, it is started again. */
  signal(name: string, signal: NodeJS.Signals): void {
    this.#get(name).signal(signal);
  }

  list(): ProcessStatus[] {
    return [...this.#processes.values()].map((managed) => managed.status());
  }

  /** Ends all, in order, within 14 seconds; what has not ended by its group's deadline is killed. */
  async stopAll(): Promise<void> {
    const begun = Date.now();
    for (const { includes, graceMs, deadlineMs } of STOP_GROUPS) {
      const members = [...this.#processes.values()].filter(({ spec }) => includes(spec));
      const timeoutMs = Math.max(Math.min(graceMs, begun + deadlineMs - Date.now()), 0);
      await Promise.all(members.map((managed) => managed.stop(timeoutMs)));
    }
    this.#writeTable();
    this.#isOver = true;
  }

  #get(name: string): ManagedProcess {
    const managed = this.#processes.get(name);
    if (managed) return managed;
    throw new StackError(`There is no process "${name}"; there are ${[...this.#processes.keys()].join(", ")}`);
  }

  #changed(): void {
    if (this.#isOver) return;
    const pids = this.list().map(({ pid }) => pid);
    if (pids.join() !== this.#writtenPids) this.#writeTable();
    else this.#tableTimer ??= setTimeout(() => this.#writeTable(), TABLE_DELAY_MS).unref();
  }

  #writeTable(): void {
    clearTimeout(this.#tableTimer);
    this.#tableTimer = undefined;
    this.#writtenPids = this.list()
      .map(({ pid }) => pid)
      .join();
    writeProcessTable(this.#tablePath, [...this.#processes.values()]);
  }
}
