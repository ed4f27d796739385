/** One thing to start, and what has to be ready before. */
export interface StartStep {
  name: string;
  needs: readonly string[];
  /** `signal` aborts when the start is given up. */
  run: (signal: AbortSignal) => Promise<void>;
}

/** What happened to a step. Every step is `waiting` first; all of them are told before the first one starts. */
export interface StepEvent {
  name: string;
  state: "waiting" | "started" | "done" | "failed" | "cancelled";
  error?: Error;
}

/**
 * Runs all steps, each as soon as what it needs is done, as many at once as that allows.
 *
 * @param signal when it aborts, no further step is started
 * @throws the first error, after the steps that were under way have ended; steps that wait are not started any more
 */
export async function runSteps(
  steps: readonly StartStep[],
  onStep: (event: StepEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const { name } of steps) onStep({ name, state: "waiting" });
  const failed = new AbortController();
  const givenUp = AbortSignal.any([failed.signal, signal]);
  const done = new Map<string, Promise<void>>();
  const runStep = async (step: StartStep) => {
    await Promise.all(step.needs.map((need) => done.get(need)));
    if (givenUp.aborted) return;
    onStep({ name: step.name, state: "started" });
    try {
      await step.run(givenUp);
      onStep({ name: step.name, state: "done" });
    } catch (error) {
      if (givenUp.aborted) return onStep({ name: step.name, state: "cancelled" });
      failed.abort(error);
      onStep({ name: step.name, state: "failed", error: error as Error });
    }
  };
  for (const step of inOrder(steps)) done.set(step.name, runStep(step));
  await Promise.all(done.values());
  if (failed.signal.aborted) throw failed.signal.reason;
  signal.throwIfAborted();
}

/** Every step after what it needs; a need that is nowhere, or a circle of needs, is a defect and throws. */
function inOrder(steps: readonly StartStep[]): StartStep[] {
  const ordered: StartStep[] = [];
  const placed = new Set<string>();
  while (ordered.length < steps.length) {
    const next = steps.filter(({ name, needs }) => !placed.has(name) && needs.every((need) => placed.has(need)));
    if (next.length === 0) throw new Error("start graph: a step needs one that is not there, or itself");
    for (const step of next) placed.add(step.name);
    ordered.push(...next);
  }
  return ordered;
}
