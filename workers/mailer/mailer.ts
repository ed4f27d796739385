import { forgetMails } from "../../domain/users/mails/forget-mails.ts";
import type { MailKind } from "../../domain/users/mails/queue-mail.ts";
import { type MailContext, type MailOutcome, sendMails } from "../../domain/users/mails/send-mails.ts";
import { pause } from "../../lib/backoff.ts";
import { Pulse } from "../../lib/pulse.ts";

/** Mails sent side by side, each on a connection of its own; servers take few from one client. */
const BATCH_MAX = 10;
/** Longer than all deadlines of a look together. */
const LOOK_MS_MAX = 120_000;
/** Milliseconds for which a stop waits for what is being sent: less than a process may drain. */
const STOP_WAIT_MAX_MS = 6_000;

/**
 * Sends mails, for ever.
 *
 * @param options.intervalMs between two looks
 * @param options.onOutcome told what became of each mail
 */
export function runMailer(
  ctx: MailContext,
  options: { intervalMs: number; onOutcome?: (kind: MailKind, outcome: MailOutcome | "expired") => void },
): {
  /** @throws Error when it stands still */
  checkLoop: () => void;
  stop: () => Promise<void>;
} {
  const { log } = ctx;
  const stopping = new AbortController();
  const givingUp = new AbortController();
  const pulse = new Pulse({ silenceMaxMs: options.intervalMs + LOOK_MS_MAX });
  const finished = (async () => {
    while (!stopping.signal.aborted) {
      pulse.turn();
      try {
        const outcomes = await sendMails(ctx, { batchMax: BATCH_MAX, signal: givingUp.signal });
        for (const { kind, outcome } of outcomes) options.onOutcome?.(kind, outcome);
        const expired = await forgetMails(ctx);
        for (const kind of expired) options.onOutcome?.(kind, "expired");
        if (expired.length > 0) log.error({ count: expired.length }, "mails have expired before they could be sent");
        // There may be more, and the server takes them.
        if (outcomes.length === BATCH_MAX && outcomes.every(({ outcome }) => outcome !== "failed")) continue;
      } catch (error) {
        log.warn({ err: error }, "mails can't be looked for; trying again");
      }
      await pause(options.intervalMs, stopping.signal);
    }
  })();
  return {
    checkLoop: () => pulse.check(),
    async stop() {
      stopping.abort();
      const timer = setTimeout(() => givingUp.abort(), STOP_WAIT_MAX_MS);
      await finished.finally(() => clearTimeout(timer));
    },
  };
}
