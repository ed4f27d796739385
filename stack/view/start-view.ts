import { Listr, type ListrTaskWrapper } from "listr2";
import type { StepEvent } from "../supervisor/start-graph.ts";

type Outcome = "done" | "failed" | "not started" | "cancelled" | Error;

interface Step {
  label: string;
  startedAt: number | undefined;
  ended: Promise<Outcome>;
  end: (outcome: Outcome) => void;
  // biome-ignore lint/suspicious/noExplicitAny: listr2 types a wrapper by its renderers, which don't matter here
  task: ListrTaskWrapper<unknown, any, any> | undefined;
}

/** Shows the steps of a start as they go on: redrawn in place in a terminal, a line per event elsewhere. */
export class StartView {
  readonly #label: (step: string) => string;
  readonly #steps = new Map<string, Step>();
  #shown: Promise<unknown> | undefined;

  /** @param label what a step is called on the screen */
  constructor(label: (step: string) => string) {
    this.#label = label;
  }

  /** Takes the events of `startStack`. */
  onStep({ name, state, error }: StepEvent): void {
    if (state === "waiting") {
      this.#add(name);
      return;
    }
    this.#shown ??= this.#show();
    const step = this.#steps.get(name);
    if (!step) return;
    if (state === "started") {
      step.startedAt = Date.now();
      if (step.task) step.task.title = step.label;
    } else step.end(error ?? state);
  }

  /** Ends the view: what has not started never will. */
  async close(): Promise<void> {
    for (const { end } of this.#steps.values()) end("not started");
    await this.#shown;
  }

  #add(name: string): void {
    let end: Step["end"] = () => {};
    const ended = new Promise<Outcome>((resolve) => {
      end = resolve;
    });
    this.#steps.set(name, { label: this.#label(name), startedAt: undefined, ended, end, task: undefined });
  }

  #show(): Promise<unknown> {
    const tasks = [...this.#steps.values()].map((step) => ({
      title: process.stdout.isTTY ? `${step.label} · waits` : step.label,
      task: async (_: unknown, task: NonNullable<Step["task"]>) => {
        step.task = task;
        if (step.startedAt !== undefined) task.title = step.label;
        const outcome = await step.ended;
        if (outcome === "not started" || outcome === "cancelled") return task.skip(outcome);
        if (outcome instanceof Error) throw new Error(outcome.message.split("\n", 1)[0]);
        task.title = `${step.label} (${((Date.now() - (step.startedAt ?? Date.now())) / 1000).toFixed(1)} s)`;
      },
    }));
    const options = { concurrent: true, exitOnError: false, registerSignalListeners: false } as const;
    const rendererOptions = { collapseErrors: false, collapseSkips: false };
    return new Listr(tasks, { ...options, rendererOptions, fallbackRenderer: "simple" }).run();
  }
}
