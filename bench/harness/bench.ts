import type { LoadResult } from "./load.ts";
import { GENERATOR_SHARE_MAX } from "./load.ts";
import type { Comparison } from "./pairs.ts";
import type { Bare, BenchSystem } from "./system.ts";

export interface BenchContext {
  system: BenchSystem;
  bare: Bare;
  /** How often each side is measured. */
  pairs: number;
  /** Requests of one measurement, where a bench says nothing else. */
  requests: number;
}

/** Milliseconds of CPU for one operation, by process. */
export type CpuTable = { title: string; ours: Record<string, number>; theirs: Record<string, number> };

export interface Outcome {
  comparisons: Comparison[];
  cpu?: CpuTable[];
  /** What a reader has to know about these figures. */
  notes?: string[];
}

export interface Bench {
  name: string;
  title: string;
  run(context: BenchContext): Promise<Outcome>;
}

/** @throws Error when not every request was answered as it should be */
export function requireStatus({ statuses }: LoadResult, status: number, count: number): void {
  if (statuses[status] === count) return;
  throw new Error(`expected ${count} × ${status}, got ${JSON.stringify(statuses)}`);
}

/** @returns a note if the generator had so much to do that it was measured too */
export function noteGenerator(results: readonly LoadResult[]): string[] {
  const share = Math.max(...results.map(({ generatorShare }) => generatorShare));
  if (share < GENERATOR_SHARE_MAX) return [];
  return [`The load generator took ${Math.round(share * 100)} % of a processor: it was a limit of its own.`];
}
