import { execa } from "execa";
import { expect, type TestContext, test } from "vitest";
import { newEvent, playerEvent } from "../../lib/events.ts";
import { newId } from "../../lib/ids.ts";
import { runConsumer } from "../../lib/kafka/consumer/run-consumer.ts";
import { countOpenDeadLetters } from "../../lib/kafka/find-dead-letters.ts";
import { collect, createTestTopic, kafka, metrics, produce, silentLog } from "../../tests/support/kafka.ts";
import { servers } from "../../tests/support/servers.ts";
import { until } from "../../tests/support/until.ts";
import { parseCommandLine } from "./command-line.ts";
import { runCommand } from "./run-command.ts";

/** A command reads its topics as a group several times, and a machine may be busy with other tests. */
const SLOW = { timeout: 90_000 };

/** Runs a command as an operator types it. */
async function dlt(line: string): Promise<string> {
  const command = parseCommandLine(line.split(" "));
  if (command.verb === "help") throw new Error("that is a question for help");
  return runCommand(kafka, command);
}

const suspended = (playerId: string) =>
  newEvent("/users", "PLAYER_STATUS_CHANGED", playerId, new Date(), { playerId, status: "suspended" });

/** A topic of players' events, a consumer of it that refuses events while `isBroken`, and what it has handled. */
async function createBrokenWorker(context: TestContext, prefix: string) {
  const topic = await createTestTopic(prefix);
  const worker = { topic, isBroken: true, handled: [] as string[] };
  const consumer = runConsumer({
    kafka,
    groupId: `group-of-${topic}`,
    topic,
    schema: playerEvent,
    isUnavailable: () => false,
    handle: async (events) => {
      if (worker.isBroken) throw new Error("a defect");
      worker.handled.push(...events.map(({ event }) => event.id));
    },
    log: silentLog,
    metrics,
  });
  context.onTestFinished(consumer.stop);
  const dead = (count: number) =>
    until(
      `there are ${count} dead letters`,
      async () => (await countOpenDeadLetters(kafka, [`${topic}.dlt`])) === count,
    );
  const ids = async () => {
    const listed: { id: string }[] = JSON.parse(await dlt(`list --topic ${topic} --json`));
    return listed.map(({ id }) => id);
  };
  return { worker, topic, dead, ids };
}

test.concurrent(
  "an operator lists a dead letter, sees all of it, and replays it; then it is handled once and no longer open",
  SLOW,
  async (context) => {
    const { topic, worker, dead, ids } = await createBrokenWorker(context, "dlt-replay");
    const event = suspended(newId());
    await produce(topic, [{ key: event.subject, value: JSON.stringify(event) }]);
    await dead(1);
    const [id = ""] = await ids();

    const table = await dlt(`list --topic ${topic}`);
    expect(table).toMatch(
      new RegExp(`${id}.*${topic}/\\d/0.*PLAYER_STATUS_CHANGED.*${event.id}.*${event.subject}.*a defect`),
    );
    expect(table, "what the event says is not for a list").not.toContain("suspended");
    const shown = await dlt(`show ${id}`);
    expect(shown).toMatch(/state +open/);
    expect(shown).toMatch(/dlt-reason +handler failed 5 times: a defect/);
    expect(JSON.parse(shown.slice(shown.indexOf("\n\n")))).toEqual(event);

    worker.isBroken = false;
    expect(await dlt(`replay ${id}`)).toBe(`replayed ${id}`);
    await until("it is handled", () => worker.handled.length === 1);
    expect(worker.handled).toEqual([event.id]);
    expect(await dlt(`list --topic ${topic}`)).toBe(`0 open, 1 settled in ${topic}.dlt`);
    expect(await dlt(`list --all --topic ${topic}`)).toMatch(/ replayed 2\d{3}-/);
    expect(await dlt(`show ${id}`)).toMatch(/state +replayed at 2\d{3}-/);
    expect(await dlt(`replay --all --topic ${topic}`), "what was replayed is not taken again").toBe("nothing is open");
  },
);

test.concurrent(
  "a message that dies again after its replay is a new dead letter that says where it came from",
  SLOW,
  async (context) => {
    const { topic, dead, ids } = await createBrokenWorker(context, "dlt-again");
    const event = suspended(newId());
    await produce(topic, [{ key: event.subject, value: JSON.stringify(event) }]);
    await dead(1);
    const [first = ""] = await ids();
    await dlt(`replay ${first}`);
    const second = await until("there is another one", async () => (await ids()).find((id) => id !== first));
    const shown = await dlt(`show ${second}`);
    expect(shown).toMatch(new RegExp(`dlt-replayed-from +${first}\n`));
    expect(shown).toMatch(/dlt-origin-offset|dlt-offset +1\n/);
  },
);

test.concurrent(
  "all that is open is replayed in the order in which it died; what was discarded stays out",
  SLOW,
  async (context) => {
    const { topic, worker, dead, ids } = await createBrokenWorker(context, "dlt-all");
    const playerId = newId();
    const events = Array.from({ length: 6 }, () => suspended(playerId));
    await produce(topic, [
      { key: playerId, value: "not json" },
      ...events.map((event) => ({ key: playerId, value: JSON.stringify(event) })),
    ]);
    await dead(7);
    const [hopeless = ""] = await ids();
    expect(await dlt(`discard ${hopeless}`)).toBe(`discarded ${hopeless}`);
    worker.isBroken = false;
    expect((await dlt(`replay --all --topic ${topic}`)).split("\n")).toHaveLength(6);
    await until("all are handled", () => worker.handled.length === 6);
    expect(worker.handled).toEqual(events.map(({ id }) => id));
    expect(await countOpenDeadLetters(kafka, [`${topic}.dlt`])).toBe(0);
    const origin = await collect(topic);
    await until("all 13 messages are there", () => origin.messages.length === 13);
    await origin.stop();
    expect(origin.messages.slice(7).map(({ value }) => value)).toEqual(events.map((event) => JSON.stringify(event)));
    expect(Object.keys(origin.messages[7]?.headers ?? {})).toEqual(["dlt-replayed-from"]);
  },
);

test("a dead letter that is not there, and a topic that is not there, are named; nothing else is done", async () => {
  const topic = await createTestTopic("dlt-missing");
  await expect(dlt(`show ${topic}/0/17`)).rejects.toThrow(`There is no dead letter ${topic}.dlt/0/17`);
  await expect(dlt(`replay ${topic}/0/17`)).rejects.toThrow(`There is no dead letter ${topic}.dlt/0/17`);
  await expect(dlt("list --topic nowhere")).rejects.toThrow("There is no topic nowhere.dlt");
});

test.each([
  ["lost", 'There is no command "lost"'],
  ["list --verbose", "Unknown option '--verbose'"],
  ["list player.dlt/1/2", "list takes no ID"],
  ["show", "show takes one ID"],
  ["show player.dlt/1", '"player.dlt/1" is no ID'],
  ["replay", "replay takes either IDs or --all"],
  ["replay --all player.dlt/1/2", "replay takes either IDs or --all"],
  ["discard player.dlt/1/2 --topic player", "discard does not take --topic"],
  ["let-pass", "let-pass takes one topic, or topic/partition"],
  ["let-pass --all", "let-pass does not take --all"],
  [
    "let-pass roulette/3",
    '"roulette/3" is no partition that somebody consumes; one is like player/3 or notification/3',
  ],
])("`%s` is refused: %s", (line, message) => {
  expect(() => parseCommandLine(line.split(" "))).toThrow(message);
});

test("the command finds the brokers of the system that runs, and its exit codes tell apart what went wrong", async () => {
  const run = (args: string[], env: Record<string, string>) =>
    execa(process.execPath, ["stack/commands/dead-letters.ts", ...args], { env, reject: false, all: true });
  const here = { STACK_DIR: servers.stackDir };
  const [list, passed, noPartition, missing, wrong, nowhere, help] = await Promise.all([
    run(["list"], here),
    run(["let-pass", "notification/3"], here),
    run(["let-pass", "player/99"], here),
    run(["show", "player/0/999999999"], here),
    run(["lost"], here),
    run(["list"], { STACK_DIR: "/nowhere" }),
    run([], here),
  ]);
  expect(list).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("in player.dlt, notification.dlt") });
  const said = /^notifier lets notification\/3 pass up to offset \d+$/;
  expect(passed).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(said) });
  expect(noPartition).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("no partition 99 of player") });
  expect(missing).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("player.dlt/0/999999999") });
  expect(wrong).toMatchObject({ exitCode: 64, stderr: expect.stringContaining("npm run dlt -- list") });
  expect(nowhere).toMatchObject({ exitCode: 78, stderr: expect.stringContaining("does not run here") });
  expect(help).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("npm run dlt -- list") });
});
