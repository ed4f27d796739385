import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "./schedule.ts";
import type { System } from "./system.ts";

/** Does what a schedule says, as the traffic goes on. */
export class Injector {
  readonly done: Fault[] = [];
  /** What went wrong with doing harm, such as a process that did not get ready after a restart; not a violation by itself. */
  readonly problems: string[] = [];
  readonly #system: System;
  readonly #waiting: Fault[];
  readonly #underWay = new Set<Promise<void>>();

  constructor(system: System, schedule: readonly Fault[]) {
    this.#system = system;
    this.#waiting = [...schedule];
  }

  /** The fault that was begun last. */
  get last(): Fault | undefined {
    return this.done.at(-1);
  }

  /** Begins every fault whose time has come. */
  onRegistrations(count: number): void {
    while (this.#waiting[0] !== undefined && this.#waiting[0].atRegistration <= count) {
      const fault = this.#waiting.shift() as Fault;
      this.done.push(fault);
      const work = this.#inject(fault).catch((error: unknown) => {
        this.problems.push(`${fault.kind} ${fault.target}: ${(error as Error).message.split("\n")[0]}`);
      });
      this.#underWay.add(work);
      void work.finally(() => this.#underWay.delete(work));
    }
  }

  /** Resolves when everything frozen goes on and everything stopped has been started. */
  async finish(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #inject({ kind, target, durationMs }: Fault): Promise<void> {
    switch (kind) {
      case "kill":
        return this.#system.signal(target, "SIGKILL");
      case "freeze":
        await this.#system.signal(target, "SIGSTOP");
        await delay(durationMs);
        return this.#system.signal(target, "SIGCONT");
      case "restart":
        await this.#system.stop(target);
        return this.#system.start(target);
    }
  }
}
