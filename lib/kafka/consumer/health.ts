/** What happens to a consumer in its group. */
export type GroupEvent =
  | { kind: "joined" }
  | { kind: "rebalancing" }
  /** kafkajs gave up; it tries again by itself unless there is an error. */
  | { kind: "crashed"; error: Error | undefined }
  | { kind: "stopping" };

/** What a consumer says of itself. Changed by the loop of its life, and by nothing else. */
export class ConsumerHealth {
  #isMember = false;

  apply(event: Exclude<GroupEvent, { kind: "stopping" }> | { kind: "left" }): void {
    this.#isMember = event.kind === "joined";
  }

  /** @throws Error while it is not a member of its group */
  check(): void {
    if (!this.#isMember) throw new Error("not a member of the consumer group");
  }
}
