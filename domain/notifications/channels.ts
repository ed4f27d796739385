/**
 * Redis channels on which the notifier wakes the edges. A message carries nothing: MongoDB is the truth, and an edge
 * that misses a wake-up finds the notification at its next look.
 */
const PREFIX = "notification:";

/** Wakes every socket of every player; sent when it is no longer known whose wake-ups were lost. */
export const WAKE_ALL_CHANNEL = `${PREFIX}*`;

/** @returns the channel that tells of a player's new notifications */
export const wakeChannel = (playerId: string): string => `${PREFIX}${playerId}`;

/** @returns whose channel it is, or undefined if it is no player's */
export const playerOfChannel = (channel: string): string | undefined =>
  channel.startsWith(PREFIX) && channel !== WAKE_ALL_CHANNEL ? channel.slice(PREFIX.length) : undefined;
