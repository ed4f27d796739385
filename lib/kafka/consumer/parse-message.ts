import type { KafkaMessage } from "kafkajs";
import type { z } from "zod";
import { readHeaders } from "../dead-letter.ts";

/** An event as a consumer gets it. */
export interface Received<E> {
  event: E;
  partition: number;
  /** Its place in the partition. */
  offset: string;
  traceparent: string | undefined;
}

/** @returns the event, or in words why the message isn't one */
export function receive<S extends z.ZodType>(
  schema: S,
  partition: number,
  message: KafkaMessage,
): Received<z.output<S>> | string {
  let json: unknown;
  try {
    json = JSON.parse(message.value?.toString("utf8") ?? "");
  } catch {
    return "not JSON";
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) {
    const { traceparent } = readHeaders(message);
    return { event: parsed.data, partition, offset: message.offset, traceparent };
  }
  return `not an event of this topic: ${parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("; ")}`;
}
