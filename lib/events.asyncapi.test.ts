import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { errorFrame, notificationFrame, parseClientFrame, readyFrame } from "../gateway/frames.ts";
import { notificationEvent, playerEvent, promotionContent, TOPICS } from "./events.ts";
import { DLT_HEADER, deadLetterTopic, REPLAYED_FROM_HEADER, SETTLEMENT_HEADER } from "./kafka/dead-letter.ts";
import { PARTITIONS } from "./kafka/topics.ts";

/** A JSON schema, or any other node of the document. */
type Node = Record<string, unknown>;

interface Message {
  name: string;
  headers?: Node;
  payload: Node;
  examples: { name: string; headers?: Node; payload: unknown }[];
}

interface Channel {
  address: string;
  messages: Record<string, Node>;
  "x-close-codes"?: Record<string, { reasons: string[] }>;
  bindings: { kafka?: { partitions: number } };
}

interface AsyncApi {
  channels: Record<string, Channel>;
  components: { messages: Record<string, Message>; schemas: Record<string, Node> };
}

const document = parse(readFileSync(new URL("../docs/asyncapi.yaml", import.meta.url), "utf8")) as AsyncApi;
const messages = Object.values(document.components.messages);
const schemaOf = new Map<string, z.ZodObject>(
  [...playerEvent.options, ...notificationEvent.options].map((schema) => [schema.shape.type.value, schema]),
);

/** @returns what a local `$ref` names */
function lookUp(ref: string): unknown {
  const steps = ref.replace(/^#\//, "").split("/");
  return steps.reduce<unknown>((node, step) => (node as Node | undefined)?.[step], document);
}

const isRef = (node: unknown): node is { $ref: string } =>
  typeof (node as { $ref?: unknown } | null)?.$ref === "string";

/** @returns the node with every `$ref` replaced by what it names */
function resolve(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(resolve);
  if (node === null || typeof node !== "object") return node;
  if (isRef(node)) {
    const target = lookUp(node.$ref);
    if (target === undefined) throw new Error(`${node.$ref} names nothing`);
    return resolve(target);
  }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, resolve(value)]));
}

/** Keywords for people, which zod does not have. */
const ANNOTATIONS = ["$schema", "description", "title", "examples"];

/**
 * @returns the schema without what may differ: annotations, the order of `required` and of the properties, and the
 * pattern that zod writes beside a format to say the same
 */
function normalize(schema: unknown): unknown {
  if (schema === null || typeof schema !== "object" || Array.isArray(schema)) return schema;
  const { properties, required, pattern, ...rest } = schema as Node;
  for (const keyword of ANNOTATIONS) delete rest[keyword];
  return {
    ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, normalize(value)])),
    ...(pattern === undefined || "format" in rest ? {} : { pattern }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties as Node).map(([name, property]) => [name, normalize(property)]),
          ),
        }),
    ...(required === undefined ? {} : { required: [...(required as string[])].sort() }),
  };
}

const documented = (schema: unknown) => normalize(resolve(schema));
/** As a producer must send it: fields that a consumer does not know are allowed. */
const ours = (schema: z.ZodType) => normalize(z.toJSONSchema(schema, { io: "input" }));

describe("events: docs/asyncapi.yaml says what lib/events.ts checks", () => {
  test("both name the same events", () => {
    const names = messages.filter(({ payload }) => "data" in propertiesOf(payload)).map(({ name }) => name);
    expect(names.sort()).toEqual([...schemaOf.keys()].sort());
  });

  test.each([...schemaOf])("%s has the same fields, types and constraints", (type, schema) => {
    expect(documented(messageOf(type).payload)).toEqual(ours(schema));
  });

  test.each([...schemaOf])("every example of %s is one", (type, schema) => {
    const { examples } = messageOf(type);
    expect(examples.length).toBeGreaterThan(0);
    for (const { payload } of examples) {
      expect(schema.strict().parse(payload)).toEqual(payload);
      expect(payload).toMatchObject({ subject: expect.any(String), type });
    }
  });

  test("a notification's content is the data of its event", () => {
    expect(documented(document.components.schemas.PromotionContent)).toEqual(ours(promotionContent));
    const types = notificationEvent.options.map(({ shape }) => shape.type.value);
    const { event, content } = propertiesOf(messageOf("notification").payload);
    expect(event).toMatchObject({ enum: types });
    // Some say the same.
    const contents = types.map((type) => JSON.stringify(resolve(propertiesOf(messageOf(type).payload).data)));
    expect((content as { anyOf: unknown[] }).anyOf.map((one) => JSON.stringify(resolve(one)))).toEqual([
      ...new Set(contents),
    ]);
  });
});

describe("topics", () => {
  const kafkaChannels = Object.values(document.channels).filter(({ bindings }) => bindings.kafka !== undefined);

  test("every topic and its dead letters are described, with their partitions", () => {
    const topics = Object.values(TOPICS).flatMap((topic) => [topic, deadLetterTopic(topic)]);
    expect(kafkaChannels.map(({ address }) => address).sort()).toEqual(topics.sort());
    for (const { bindings } of kafkaChannels) expect(bindings.kafka?.partitions).toBe(PARTITIONS);
  });

  test.each([
    [TOPICS.player, playerEvent],
    [TOPICS.notification, notificationEvent],
  ] as const)("%s carries the events that its consumers take, and no others", (topic, union) => {
    const channel = kafkaChannels.find(({ address }) => address === topic);
    const names = Object.values(channel?.messages ?? {}).map((message) => (resolve(message) as Message).name);
    expect(names.sort()).toEqual(union.options.map((schema) => schema.shape.type.value).sort());
  });

  test("dead letters have the headers that the consumer writes", () => {
    const headers = document.components.schemas.DeadLetterHeaders as { required: string[]; properties: Node };
    expect(headers.required.toSorted()).toEqual(Object.values(DLT_HEADER).sort());
    const optional = ["traceparent", REPLAYED_FROM_HEADER];
    expect(Object.keys(headers.properties).sort()).toEqual([...optional, ...headers.required].sort());
    expect(Object.keys(propertiesOf(document.components.schemas.EventHeaders as Node)).sort()).toEqual(optional.sort());
    expect((headers.properties[DLT_HEADER.topic] as { enum: string[] }).enum.toSorted()).toEqual(
      Object.values(TOPICS).sort(),
    );
  });
});

test("a settlement has the headers that the command writes", () => {
  const { required } = document.components.schemas.SettlementHeaders as { required: string[] };
  expect(required.toSorted()).toEqual(Object.values(SETTLEMENT_HEADER).sort());
});

describe("the WebSocket", () => {
  const exampleOf = (name: string) => messageOf(name).examples[0]?.payload as Node;
  const namedBy = (name: string) => Object.keys(propertiesOf(messageOf(name).payload)).sort();

  test("the gateway's frames are the documented ones, with no field more or less", () => {
    const { id, content, createdAt } = exampleOf("notification") as { id: string; content: never; createdAt: string };
    const seq = 42;
    const frames = {
      notification: notificationFrame({
        _id: id,
        playerId: exampleOf("PLAYER_REGISTERED").subject as string,
        seq,
        type: "PROMOTION",
        content,
        createdAt: new Date(createdAt),
        readAt: null,
      }),
      ready: readyFrame([seq, id], true),
      error: errorFrame("invalid_frame"),
    };
    for (const [name, frame] of Object.entries(frames)) {
      expect(JSON.parse(frame)).toEqual(exampleOf(name));
      expect(Object.keys(JSON.parse(frame)).sort()).toEqual(namedBy(name));
    }
  });

  test.each(["read", "auth"])("the gateway takes the documented frame `%s`, and no other field", (name) => {
    const frame = exampleOf(name);
    expect(parseClientFrame(JSON.stringify(frame))).toEqual(frame);
    expect(Object.keys(frame).sort()).toEqual(namedBy(name));
    expect(parseClientFrame(JSON.stringify({ ...frame, more: 1 }))).toBeUndefined();
    for (const field of Object.keys(frame)) {
      expect(parseClientFrame(JSON.stringify({ ...frame, [field]: undefined }))).toBeUndefined();
    }
  });

  test("the gateway takes no frame and no field that is not documented", () => {
    // From the source: the gateway does not share its schema, and what is optional is seen nowhere else.
    const source = readFileSync(new URL("../gateway/frames.ts", import.meta.url), "utf8");
    const taken = [...source.matchAll(/z\.strictObject\(\{ type: z\.literal\("(\w+)"\),([^}]*)\}\)/g)].map(
      ([, name, fields]) => [
        name,
        ["type", ...[...(fields ?? "").matchAll(/(\w+):/g)].map(([, field]) => field)].sort(),
      ],
    );
    expect(taken.length).toBe(source.match(/z\.(strict|loose)?[oO]bject\(/g)?.length);
    expect(Object.fromEntries(taken)).toEqual({ read: namedBy("read"), auth: namedBy("auth") });
  });

  test("the close codes and their reasons are the gateway's", () => {
    const source = readFileSync(new URL("../gateway/close-codes.ts", import.meta.url), "utf8");
    const ours: Record<string, string[]> = { "1006": [] }; // no close frame: nobody says why
    for (const [, cases, code] of source.matchAll(/((?:case "\w+":\s+)+)return (\d{4});/g)) {
      ours[code as string] = [...(cases as string).matchAll(/"(\w+)"/g)].map(([, reason]) => reason as string).sort();
    }
    const socket = Object.values(document.channels).find((channel) => channel["x-close-codes"] !== undefined);
    const documentedReasons = Object.entries(socket?.["x-close-codes"] ?? {}).map(([code, { reasons }]) => [
      code,
      reasons.toSorted(),
    ]);
    expect(Object.fromEntries(documentedReasons)).toEqual(ours);
  });
});

test.each(messages.map((message) => [message.name, message] as const))(
  "every example of %s fits its own schemas",
  (_name, { payload, headers, examples }) => {
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats.default(ajv);
    for (const example of examples) {
      expect(ajv.validate(resolve(payload) as object, example.payload), ajv.errorsText()).toBe(true);
      if (headers === undefined) continue;
      expect(ajv.validate(resolve(headers) as object, example.headers), ajv.errorsText()).toBe(true);
    }
  },
);

function messageOf(name: string): Message {
  const message = messages.find((candidate) => candidate.name === name);
  if (message === undefined) throw new Error(`docs/asyncapi.yaml describes no message ${name}`);
  return message;
}

function propertiesOf(schema: Node): Node {
  return ((resolve(schema) as Node).properties ?? {}) as Node;
}
