import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { StackError } from "../errors.ts";
import { writeFileAtomically } from "../files.ts";
import type { Layout } from "./layout.ts";

/** The variant of base64 that fits into URLs and is what Kafka takes as a cluster's id. */
const token = (bytes: number) => randomBytes(bytes).toString("base64url");

const stateSchema = z.object({
  version: z.literal(1),
  /** Names what belongs to this stack outside its folder. */
  id: z.string(),
  brokers: z.union([z.literal(1), z.literal(3)]),
  kafkaClusterId: z.string(),
  admin: z.object({ email: z.string(), password: z.string() }),
  passwords: z.object({
    postgres: z.string(),
    users: z.string(),
    promotions: z.string(),
    ferretdb: z.string(),
    redis: z.string(),
  }),
  /** Where PostgreSQL's files are, when they can't be in the stack's folder. */
  postgresHome: z.string().optional(),
  /** Ports by process and purpose, such as `users-1.grpc`. */
  ports: z.record(z.string(), z.number()),
});

/** What a stack keeps from one start to the next. */
export type StackState = z.output<typeof stateSchema>;

/**
 * @returns the state of the stack in this folder, or undefined when there is none
 * @throws StackError when the file is not one of ours
 */
export function readState(layout: Layout): StackState | undefined {
  if (!existsSync(layout.state)) return undefined;
  try {
    return stateSchema.parse(JSON.parse(readFileSync(layout.state, "utf8")));
  } catch (error) {
    throw new StackError(`${layout.state} is damaged (${(error as Error).message}). Start afresh: npm run reset`);
  }
}

/** Writes the state so that a crash leaves either the old or the new one; only the owner may read its passwords. */
export function writeState(layout: Layout, state: StackState): void {
  writeFileAtomically(layout.state, `${JSON.stringify(state, null, 2)}\n`);
}

/** @returns the state of a new stack, with fresh passwords */
export function newState(brokers: 1 | 3): StackState {
  return {
    version: 1,
    id: randomUUID(),
    brokers,
    kafkaClusterId: token(16),
    admin: { email: "admin@casino.example", password: token(15) },
    passwords: { postgres: token(24), users: token(24), promotions: token(24), ferretdb: token(24), redis: token(24) },
    ports: {},
  };
}
