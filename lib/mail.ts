import { createTransport, type SMTPTransportOptions } from "nodemailer";
import { errorCode } from "./errors.ts";

/** Milliseconds. What a send takes in all is SEND_TIMEOUT_MS; each step of it less, so that one that hangs is named. */
const CONNECT_TIMEOUT_MS = 5_000;
const SILENCE_MAX_MS = 10_000;
export const SEND_TIMEOUT_MS = 20_000;

/** A mail in plain text. */
export interface Mail {
  /** The same mail, sent again, has the same `Message-ID`, by which mailboxes drop copies. */
  id: string;
  to: string;
  subject: string;
  text: string;
}

/** How mails leave the house. */
export interface MailPort {
  /**
   * Resolves when the server has taken the mail. What fails may have been taken all the same: its answer was lost.
   *
   * @param signal gives the send up
   * @throws MailRefusedError if it will never be taken; anything else may be tried again
   */
  send(mail: Mail, signal?: AbortSignal): Promise<void>;
}

/** The server does not take mails for this address, and says that it never will. */
export class MailRefusedError extends Error {
  override name = "MailRefusedError";
}

/**
 * Sends by SMTP, one connection for each mail: few are sent, and none waits for a connection that has died.
 *
 * @param options.url `smtp://` (with STARTTLS where the server offers it, always with `?requireTLS=true`) or `smtps://`
 * @param options.from address or `Name <address>` of who writes
 */
export function connectMail({ url, from }: { url: string; from: string }): MailPort {
  const options: SMTPTransportOptions = {
    url,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    dnsTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: SILENCE_MAX_MS,
    socketTimeout: SILENCE_MAX_MS,
    // A text that names a file or a URL stays a text.
    disableFileAccess: true,
    disableUrlAccess: true,
  };
  const transport = createTransport(options, { from, headers: { "Auto-Submitted": "auto-generated" } });
  const [, domain] = /@([^@>\s]+)>?\s*$/.exec(from) ?? [];
  return {
    async send({ id, to, subject, text }, signal) {
      const deadline = AbortSignal.timeout(SEND_TIMEOUT_MS);
      try {
        await transport.sendMail({
          messageId: `<${id}@${domain}>`,
          // Not as a text, in which a comma or a bracket would mean something.
          to: { name: "", address: to },
          subject,
          text,
          signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
        });
      } catch (error) {
        throw isRefusal(error) ? new MailRefusedError("the server does not take the address", { cause: error }) : error;
      }
    },
  };
}

/** Of the recipient, for good (RFC 5321, 4.2.1). A sender or a login that is refused is ours to mend, and the mail waits. */
function isRefusal(error: unknown): boolean {
  const { command, responseCode } = error as { command?: string; responseCode?: number };
  return errorCode(error) === "EENVELOPE" && command === "RCPT TO" && responseCode !== undefined && responseCode >= 550;
}
