import { type DeadLetterPlace, formatPlace } from "../../lib/kafka/dead-letter.ts";

/** Thrown when a dead letter was asked for that is not there. */
export class NoDeadLetterError extends Error {
  override name = "NoDeadLetterError";
  constructor(places: DeadLetterPlace[]) {
    super(`There is no dead letter ${places.map(formatPlace).join(", ")}. To see which there are: list --all`);
  }
}
