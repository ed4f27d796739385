import type { Kafka } from "../../lib/kafka/client.ts";
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
    case "replay":
      return settleDeadLetters(kafka, "replayed", command.which);
    case "discard":
      return settleDeadLetters(kafka, "discarded", command.which);
  }
}
