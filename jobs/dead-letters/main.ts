import { connectKafka } from "../../lib/kafka/client.ts";
import { answerConfigCheck, runJob } from "../../lib/process.ts";
import { createLogger } from "../../lib/telemetry/log.ts";
import { type Command, parseCommandLine, USAGE, UsageError } from "./command-line.ts";
import { config } from "./config.ts";
import { runCommand } from "./run-command.ts";

const EX_USAGE = 64; // sysexits.h

function readCommandLine(): Command {
  try {
    return parseCommandLine(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    process.exit(EX_USAGE);
  }
}

answerConfigCheck(config);
const command = readCommandLine();
if (command.verb === "help") process.stdout.write(USAGE);
else {
  await runJob(config, ({ KAFKA_BROKERS }) => {
    const log = createLogger({ name: "dead-letters", instance: "job", level: "silent" });
    return runCommand(connectKafka(KAFKA_BROKERS, "dead-letters", log), command);
  });
}
