import type { Kafka } from "../../lib/kafka/client.ts";
import { letPass } from "../../lib/kafka/let-pass.ts";
import type { Command } from "./command-line.ts";
import { listDeadLetters } from "./list.ts";
import { settleDeadLetters } from "./settle.ts";
import { showDeadLetter } from "./show.ts";

/** @returns what to print */
export async function runCommand(kafka: Kafka, command: Exclude<Command, { verb: "help" }>): Promise<string> {
  switch (command.verb) {
    case "list":
      return listDeadLetters(kafka, command);
    case "show":
      return showDeadLetter(kafka, command.place);
    case "let-pass": {
      const { groupId, topic } = command.group;
      const passes = await letPass(kafka, command.group, command.partitions);
      return passes
        .map(({ partition, offset }) => `${groupId} lets ${topic}/${partition} pass up to offset ${offset}`)
        .join("\n");
    }
    case "replay":
      return settleDeadLetters(kafka, "replayed", command.which);
    case "discard":
      return settleDeadLetters(kafka, "discarded", command.which);
  }
}
