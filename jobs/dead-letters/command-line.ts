import { parseArgs } from "node:util";
import { type DeadLetterPlace, deadLetterTopic, isDeadLetterTopic } from "../../lib/kafka/dead-letter.ts";
import { DEAD_LETTER_TOPICS } from "../../lib/kafka/find-dead-letters.ts";
import { CONSUMER_GROUPS, type ConsumerGroup } from "../../lib/kafka/groups.ts";

export const USAGE = `What to do about dead letters: messages that no consumer could process.

  npm run dlt -- list [--topic T] [--all] [--json]   those that are open; --all: those that were settled too
  npm run dlt -- show ID                             one of them whole: headers, key and value
  npm run dlt -- replay ID… | --all [--topic T]      send them again to where they died, unchanged
  npm run dlt -- discard ID… | --all [--topic T]     nothing can be made of them: settle them without sending
  npm run dlt -- let-pass TOPIC[/PARTITION]          a partition waits, since too many of its messages died: let those
                                                     that are in it now die too, and go on behind them

An ID is topic/partition/offset as \`list\` shows it, such as player.dlt/3/17. --topic is player or notification; without
it, both. --all takes what is open. Consumers drop what they have handled, so that replaying twice changes nothing.

KAFKA_BROKERS (host:port, separated by commas) names the brokers; without it, those of the system that runs here.

Exit code: 0 done, 1 it failed, 64 the command line is wrong, 78 KAFKA_BROKERS is.
`;

/** Thrown with what is wrong with the command line. */
export class UsageError extends Error {
  override name = "UsageError";
}

export type Command =
  | { verb: "help" }
  | { verb: "list"; topics: string[]; withSettled: boolean; asJson: boolean }
  | { verb: "show"; place: DeadLetterPlace }
  | { verb: "let-pass"; group: ConsumerGroup; partitions: number[] | undefined }
  | { verb: "replay" | "discard"; which: { places: DeadLetterPlace[] } | { topics: string[] } };

/** @throws UsageError naming what is wrong */
export function parseCommandLine(args: string[]): Command {
  const { values, positionals } = parseFlags(args);
  const [verb, ...ids] = positionals;
  if (values.help || verb === undefined) return { verb: "help" };
  const refuse = (...flags: (keyof typeof values)[]) => {
    for (const flag of flags) if (values[flag]) throw new UsageError(`${verb} does not take --${flag}`);
  };
  const topics = values.topic === undefined ? DEAD_LETTER_TOPICS : [toDeadLetterTopic(values.topic)];
  switch (verb) {
    case "list":
      if (ids.length > 0) throw new UsageError(`list takes no ID; to see one: show ${ids[0]}`);
      return { verb, topics, withSettled: values.all, asJson: values.json };
    case "show": {
      refuse("all", "json", "topic");
      const [id, ...more] = ids;
      if (id === undefined || more.length > 0) throw new UsageError("show takes one ID");
      return { verb, place: parsePlace(id) };
    }
    case "replay":
    case "discard":
      refuse("json");
      if (values.all === ids.length > 0) throw new UsageError(`${verb} takes either IDs or --all`);
      if (values.all) return { verb, which: { topics } };
      refuse("topic");
      return { verb, which: { places: ids.map(parsePlace) } };
    case "let-pass": {
      refuse("all", "json", "topic");
      const [place, ...more] = ids;
      if (place === undefined || more.length > 0) throw new UsageError("let-pass takes one topic, or topic/partition");
      return { verb, ...parsePartition(place) };
    }
    default:
      throw new UsageError(`There is no command "${verb}"`);
  }
}

function parseFlags(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        topic: { type: "string" },
        all: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function parsePartition(place: string) {
  const [, topic, partition] = /^([\w.-]+?)(?:\/(\d{1,9}))?$/.exec(place) ?? [];
  const group = Object.values(CONSUMER_GROUPS).find((one) => one.topic === topic);
  if (group === undefined) {
    const topics = Object.values(CONSUMER_GROUPS).map((one) => one.topic);
    throw new UsageError(`"${place}" is no partition that somebody consumes; one is like ${topics.join("/3 or ")}/3`);
  }
  return { group, partitions: partition === undefined ? undefined : [Number(partition)] };
}

function parsePlace(id: string): DeadLetterPlace {
  const [, topic, partition, offset] = /^([\w.-]+)\/(\d{1,9})\/(\d{1,18})$/.exec(id) ?? [];
  if (topic === undefined || offset === undefined) {
    throw new UsageError(`"${id}" is no ID; one is like player.dlt/3/17`);
  }
  return { topic: toDeadLetterTopic(topic), partition: Number(partition), offset: String(BigInt(offset)) };
}

const toDeadLetterTopic = (topic: string) => (isDeadLetterTopic(topic) ? topic : deadLetterTopic(topic));
