import { realpathSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { StackError } from "../errors.ts";
import { describeExit, type Exit, type Launched, launch, rotateLog } from "./launch.ts";
import { lastLogLine } from "./log-tail.ts";
import type { Health, ProcessSpec, ProcessStatus } from "./process-spec.ts";
import { signalIfAlive, signalTree } from "./system-processes.ts";

const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 5_000;
/** A process that was healthy for this long starts its backoff anew. */
const HEALTHY_AFTER_MS = 10_000;
const PROBE_TIMEOUT_MS = 3_000;
const PROBE_INTERVAL_STARTING_MS = 50;
const PROBE_INTERVAL_MS = 2_000;
const READY_TIMEOUT_MS = 90_000;
/**
 * A process that has not said for this long that it is alive is killed. It ends by itself when a loop of it stands still;
 * this is for one that can't: its event loop is blocked, or it was frozen and forgotten.
 */
const LIFELESS_MAX_MS = 60_000;
/** So many ends before it was ever ready, and a start is given up. */
const FAILED_STARTS_MAX = 5;
/** EX_CONFIG of sysexits.h: the process refuses its configuration, so another try would end the same way. */
const EXIT_CODE_BAD_CONFIGURATION = 78;

export interface ProcessListener {
  /** The pid, health or number of restarts is another now. */
  changed(process: ManagedProcess): void;
  /** It ended although it should run; `retryMs` is when it is started again. */
  died(process: ManagedProcess, how: string, retryMs: number): void;
}

/** One process that is started, watched, started again when it dies, and stopped. */
export class ManagedProcess {
  readonly spec: ProcessSpec;
  startedAt: number | null = null;
  /** What the kernel calls its program and its working directory; taken when it starts, since both may be gone later. */
  place: { executable: string; cwd: string };
  #listener: ProcessListener;
  #wanted = false;
  #launched: Launched | undefined;
  #health: Health = "stopped";
  #restarts = 0;
  #failures = 0;
  #readySince: number | undefined;
  /** When it last said that it is ready or alive, by a clock that does not go while the machine sleeps. */
  #aliveAt = 0;
  #lastProblem = "";
  /** Ends the waiting of whoever watches this run or waits to start the next. */
  #wake = new AbortController();

  readonly #lifelessMaxMs: number;

  constructor(spec: ProcessSpec, listener: ProcessListener, lifelessMaxMs = LIFELESS_MAX_MS) {
    this.#lifelessMaxMs = lifelessMaxMs;
    this.spec = spec;
    this.place = { executable: spec.command, cwd: spec.cwd };
    this.#listener = listener;
  }

  status(): ProcessStatus {
    const { name, role, port, internalPort } = this.spec;
    const pid = this.#launched?.pid ?? null;
    const health = this.#health;
    return {
      name,
      role,
      pid,
      port: port ?? null,
      internalPort: internalPort ?? null,
      health,
      restarts: this.#restarts,
    };
  }

  /**
   * Starts the process and keeps it running from now on.
   *
   * @param signal gives up waiting
   * @returns when it is ready for the first time
   * @throws StackError with the last line of its log when it does not get ready
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (!this.#wanted) {
      this.#wanted = true;
      this.#failures = 0;
      rotateLog(this.spec.logFile);
      this.#spawn();
    }
    await this.#untilReady(signal);
  }

  /**
   * Ends the process and keeps it down.
   *
   * @param timeoutMs after which it is killed
   */
  async stop(timeoutMs: number): Promise<void> {
    this.#wanted = false;
    this.#wake.abort();
    const launched = this.#launched;
    if (launched?.pid !== undefined) {
      const { pid } = launched;
      signalIfAlive(pid, "SIGCONT");
      signalIfAlive(pid, this.spec.stopSignal);
      const timer = setTimeout(() => signalTree(pid, "SIGKILL"), timeoutMs);
      await launched.exited.finally(() => clearTimeout(timer));
    }
    this.#setHealth("stopped");
  }

  /** Sends a signal to the process and everything it started. If it ends of it, it is started again. */
  signal(signal: NodeJS.Signals): void {
    if (this.#launched?.pid !== undefined) signalTree(this.#launched.pid, signal);
  }

  #spawn(): void {
    const logStart = statSync(this.spec.logFile, { throwIfNoEntry: false })?.size ?? 0;
    const launched = launch(this.spec);
    this.#launched = launched;
    this.place = { executable: realpathSync(this.spec.command), cwd: realpathSync.native(this.spec.cwd) };
    this.startedAt = Date.now();
    this.#readySince = undefined;
    this.#wake = new AbortController();
    this.#setHealth("starting");
    void this.#watch(launched, this.#wake.signal);
    void launched.exited.then((exit) => this.#ended(launched, exit, logStart));
  }

  /** Asks for its health, often until it is ready, then now and then. */
  async #watch(launched: Launched, stopped: AbortSignal): Promise<void> {
    while (this.#launched === launched && !stopped.aborted) {
      try {
        await inTime(this.spec.probe(AbortSignal.timeout(PROBE_TIMEOUT_MS)));
        if (this.#launched !== launched || stopped.aborted) return;
        this.#readySince ??= Date.now();
        this.#aliveAt = performance.now();
        if (Date.now() - this.#readySince >= HEALTHY_AFTER_MS) this.#failures = 0;
        this.#setHealth("ready");
      } catch (error) {
        if (this.#launched !== launched || stopped.aborted) return;
        this.#lastProblem = (error as Error).message;
        if (this.#readySince !== undefined) {
          this.#setHealth("unready");
          await this.#killIfLifeless(launched);
        }
      }
      const intervalMs = this.#readySince === undefined ? PROBE_INTERVAL_STARTING_MS : PROBE_INTERVAL_MS;
      await delay(intervalMs, undefined, { signal: stopped, ref: false }).catch(() => {});
    }
  }

  /** Looks closer at one that is not ready any more and has not shown for a while that it lives. */
  async #killIfLifeless(launched: Launched): Promise<void> {
    const lifelessMs = () => performance.now() - this.#aliveAt;
    if (this.spec.probeLife === undefined || lifelessMs() < this.#lifelessMaxMs / 2) return;
    try {
      await inTime(this.spec.probeLife(AbortSignal.timeout(PROBE_TIMEOUT_MS)));
      this.#aliveAt = performance.now();
    } catch {
      const isLifeless = lifelessMs() >= this.#lifelessMaxMs;
      if (isLifeless && this.#launched === launched && launched.pid !== undefined) signalTree(launched.pid, "SIGKILL");
    }
  }

  #ended(launched: Launched, exit: Exit, logStart: number): void {
    if (launched.pid !== undefined) signalIfAlive(-launched.pid, "SIGKILL");
    this.#launched = undefined;
    this.startedAt = null;
    this.#wake.abort();
    if (!this.#wanted) {
      this.#listener.changed(this);
      return;
    }
    this.#lastProblem = `${describeExit(exit)}: ${lastLogLine(this.spec.logFile, logStart)}`;
    this.#failures += 1;
    if (exit.code === EXIT_CODE_BAD_CONFIGURATION) this.#failures = Math.max(this.#failures, FAILED_STARTS_MAX);
    this.#setHealth("down");
    const retryMs = Math.min(BACKOFF_MIN_MS * 2 ** (this.#failures - 1), BACKOFF_MAX_MS);
    this.#listener.died(this, describeExit(exit), retryMs);
    void this.#restartAfter(retryMs);
  }

  async #restartAfter(retryMs: number): Promise<void> {
    this.#wake = new AbortController();
    await delay(retryMs, undefined, { signal: this.#wake.signal }).catch(() => {});
    if (!this.#wanted || this.#launched) return;
    this.#restarts += 1;
    this.#spawn();
  }

  async #untilReady(signal?: AbortSignal): Promise<void> {
    const { name, logFile } = this.spec;
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (this.#health !== "ready") {
      signal?.throwIfAborted();
      if (!this.#wanted) throw new StackError(`${name} was stopped while it started`);
      const gaveUp = this.#failures >= FAILED_STARTS_MAX || Date.now() > deadline;
      if (gaveUp) throw new StackError(`${name} does not get ready: ${this.#lastProblem}\n  Its log: ${logFile}`);
      await delay(20);
    }
  }

  #setHealth(health: Health): void {
    this.#health = health;
    this.#listener.changed(this);
  }
}

/** Ends the wait for a probe that does not heed its signal; else its process would never be looked at again. */
async function inTime(probe: Promise<void>): Promise<void> {
  const over = new AbortController();
  const timeout = delay(2 * PROBE_TIMEOUT_MS, undefined, { signal: over.signal, ref: false }).then(() => {
    throw new Error(`no answer in ${2 * PROBE_TIMEOUT_MS} ms`);
  });
  timeout.catch(() => {});
  await Promise.race([probe, timeout]).finally(() => over.abort());
}
