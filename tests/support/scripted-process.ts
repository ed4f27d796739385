/**
 * A process whose start and stops do what the script that is its first argument says, with a step for each in its log. Its
 * second is how long it may drain, in milliseconds. Started by lib/process.test.ts, which tells it on its standard input
 * when to go on.
 */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { baseConfig } from "../../lib/config.ts";
import { type ProcessContext, runProcess } from "../../lib/process.ts";

interface Script extends Pick<ProcessContext<unknown>, "onStop" | "fail"> {
  step(name: string): void;
  /** Registers a stop that is a step. */
  stopStep(name: string): void;
  untilTold(): Promise<unknown>;
}

const forEver = () => new Promise(() => {});

const SCRIPTS: Record<string, (script: Script) => void | Promise<void>> = {
  "works until it is stopped": ({ stopStep }) => {
    for (const name of ["one", "two", "three"]) stopStep(name);
  },
  "starts and stops when it is told": async ({ onStop, step, untilTold }) => {
    step("starting");
    await untilTold();
    onStop("server", async () => {
      step("stopping");
      await untilTold();
    });
  },
  "fails to start": ({ stopStep }) => {
    stopStep("one");
    throw new Error("no such server");
  },
  "is stopped while it starts": async ({ onStop, step, stopStep }) => {
    const stopped = Promise.withResolvers<void>();
    const registered = Promise.withResolvers<void>();
    onStop("early", async () => {
      stopped.resolve();
      await registered.promise;
      step("early");
    });
    step("starting");
    await stopped.promise;
    stopStep("late");
    registered.resolve();
  },
  "is stopped while it starts, and can't go on": async ({ onStop, step }) => {
    const stopped = Promise.withResolvers<void>();
    onStop("database", async () => {
      stopped.resolve();
      await delay(1); // until the start has failed
    });
    step("starting");
    await stopped.promise;
    throw new Error("the database is closed");
  },
  "never ends its start": async ({ step, stopStep }) => {
    stopStep("one");
    step("starting");
    await forEver();
  },
  "hangs in a stop": ({ onStop, step, stopStep }) => {
    stopStep("one");
    stopStep("two");
    onStop("hanging", () => {
      step("hanging");
      return forEver();
    });
    onStop("slow", () => delay(700));
  },
  "fails in a stop": ({ onStop, stopStep }) => {
    stopStep("one");
    onStop("broken", () => Promise.reject(new Error("can't be closed")));
    stopStep("three");
  },
  "throws while it drains": ({ onStop, stopStep }) => {
    stopStep("one");
    onStop("throwing", async () => {
      setTimeout(() => {
        throw new Error("out of the blue");
      });
      await delay(10);
    });
  },
  throws: ({ stopStep }) => {
    stopStep("one");
    setTimeout(() => {
      throw new Error("out of the blue");
    });
  },
  "leaves a rejection to nobody": ({ stopStep }) => {
    stopStep("one");
    setTimeout(() => void Promise.reject(new Error("out of the blue")));
  },
  "can't go on, and is told to stop": ({ onStop, fail, step, stopStep }) => {
    stopStep("one");
    onStop("two", async () => {
      step("draining");
      await once(process, "SIGTERM");
    });
    setTimeout(() => fail(new Error("the loop has ended")));
  },
};

const [name = "", drainTimeoutMs] = process.argv.slice(2);
const start = async ({ log, onStop, fail }: ProcessContext<unknown>) => {
  const step = (step: string) => log.info({ step }, "step");
  await SCRIPTS[name]?.({
    onStop,
    fail,
    step,
    stopStep: (name) => onStop(name, () => step(name)),
    untilTold: () => once(process.stdin, "data"),
  });
};
await runProcess("scripted", z.object(baseConfig), start, { drainTimeoutMs: Number(drainTimeoutMs) });
