import { defineConfig } from "vitest/config";

/** Files at once; one more than small machines have processors, since they wait for servers much of the time. */
const WORKERS = 3;

/**
 * All tests use the real servers that tests/support/global-setup.ts starts once. First those beside the code, files in
 * parallel, each with a database of its own; then those that cross processes, one file after the other, since some
 * stop the servers; then what is asked of the system after all of it.
 *
 * Files beside the code share their modules (no `isolate`): to load them anew for each file took a sixth of the time. So a
 * module keeps nothing between tests that one of them could mind.
 */
export default defineConfig({
  test: {
    globalSetup: ["./tests/support/global-setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{lib,domain,functions,workers,gateway,jobs,drizzle,stack,bench}/**/*.test.ts"],
          maxWorkers: WORKERS,
          isolate: false,
          setupFiles: ["./tests/support/shared-modules.ts"],
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "crash-points",
          include: ["tests/faults/crash-points/**/*.test.ts"],
          // Tests that call themselves concurrent wait for servers most of the time.
          maxConcurrency: 10,
          maxWorkers: WORKERS,
          testTimeout: 90_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["tests/{e2e,browser}/**/*.test.ts"],
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 90_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: "final",
          include: ["tests/final/**/*.test.ts"],
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
