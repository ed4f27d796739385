import type { Admin } from "kafkajs";

/**
 * @returns where each partition of a topic begins and ends
 * @throws Error when there is no such topic: asked for its offsets, our client would try for seconds
 */
export async function fetchEnds(admin: Admin, topic: string) {
  if (!(await admin.listTopics()).includes(topic)) throw new Error(`There is no topic ${topic} on these brokers`);
  return admin.fetchTopicOffsets(topic);
}
