import { readFileSync } from "node:fs";
import path from "node:path";
import { servers } from "./servers.ts";

interface MessageLine {
  time: string | number;
  msg: string;
  topic: string;
  partition: number;
  offset: string;
}

/**
 * What a consumer handled, from its log: one line for each message that it had in hand.
 *
 * @param names the instances of one group
 * @param sinceMs what was logged before is left out; milliseconds since the epoch
 * @returns how many deliveries there were, and the messages (topic/partition/offset) that came more than once
 */
export function countDeliveries(names: string[], sinceMs: number): { deliveries: number; repeated: string[] } {
  const counts = new Map<string, number>();
  for (const name of names) {
    for (const line of readFileSync(path.join(servers.stackDir, "logs", `${name}.log`), "utf8").split("\n")) {
      if (!line.includes('"msg":"message"')) continue;
      const { time, topic, partition, offset } = JSON.parse(line) as MessageLine;
      if (new Date(time).getTime() < sinceMs) continue;
      const place = `${topic}/${partition}/${offset}`;
      counts.set(place, (counts.get(place) ?? 0) + 1);
    }
  }
  return {
    deliveries: [...counts.values()].reduce((sum, count) => sum + count, 0),
    repeated: [...counts].filter(([, count]) => count > 1).map(([place, count]) => `${place} × ${count}`),
  };
}
