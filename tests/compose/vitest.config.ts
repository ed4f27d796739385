import { defineConfig } from "vitest/config";

/**
 * The replicated system in containers, on whatever Docker engine `docker` reaches. One file after the other, since they
 * kill and restart what all of them use.
 */
export default defineConfig({
  test: {
    globalSetup: ["./tests/compose/global-setup.ts"],
    include: ["tests/compose/*.test.ts", "tests/e2e/main-flow.test.ts"],
    fileParallelism: false,
    maxWorkers: 1,
    testTimeout: 240_000,
    hookTimeout: 60_000,
    teardownTimeout: 120_000,
  },
});
