import path from "node:path";
import { expect, test } from "vitest";
import type { z } from "zod";
import { ROOT } from "./layout.ts";
import { SERVERS, TOPOLOGY } from "./topology.ts";

/** Set by whoever runs a process, for every process alike. */
const GIVEN_TO_ALL = ["HOST", "INTERNAL_PORT", "INSTANCE", "LOG_LEVEL"];

const processes = TOPOLOGY.filter(({ tier }) => tier !== "job");

test.each(processes)("$name is given exactly what its configuration asks for", async ({ entry, env, ports = [] }) => {
  const file = path.join(ROOT, path.dirname(entry), "config.ts");
  const { config } = (await import(file)) as { config: z.ZodObject };
  const given = [...Object.keys(env).map((key) => key.replace(/_FILE$/, "")), ...ports, ...GIVEN_TO_ALL];
  const known = Object.keys(config.shape);
  const required = known.filter((key) => !config.shape[key].safeParse(undefined).success);
  expect(given.filter((key) => !known.includes(key))).toEqual([]);
  expect(required.filter((key) => !given.includes(key))).toEqual([]);
});

test("what a process needs is a server or another process", () => {
  const names = [...SERVERS, ...TOPOLOGY.map(({ name }) => name)];
  expect(TOPOLOGY.flatMap(({ needs }) => needs).filter((need) => !names.includes(need))).toEqual([]);
});
