import type { AddressInfo } from "node:net";
import getPort from "get-port";
import PostalMime from "postal-mime";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { HOST } from "../../stack/plan/ports.ts";

export interface ReceivedMail {
  to: string;
  messageId: string;
  subject: string;
  text: string;
}

/**
 * A mail server of a test's own, on a port that stays.
 *
 * @param options.refuses addresses that it will never take mails for
 * @param options.losesAnswers how many mails it takes without saying so
 */
export async function startSmtp(options: { refuses?: string[]; losesAnswers?: number } = {}) {
  const received: ReceivedMail[] = [];
  const port = await getPort({ host: HOST });
  let toLose = options.losesAnswers ?? 0;
  const settings: SMTPServerOptions = {
    disabledCommands: ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    logger: false,
    onRcptTo({ address }, _session, done) {
      const refusal = Object.assign(new Error(`5.1.1 <${address}> is nobody here`), { responseCode: 550 });
      done(options.refuses?.includes(address) ? refusal : null);
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.once("end", async () => {
        const { messageId = "", subject = "", text = "" } = await PostalMime.parse(Buffer.concat(chunks));
        received.push({ to: session.envelope.rcptTo[0]?.address ?? "", messageId, subject, text });
        toLose -= 1;
        done(toLose >= 0 ? Object.assign(new Error("try again later"), { responseCode: 451 }) : null);
      });
    },
  };
  let server: SMTPServer | undefined;
  const start = async () => {
    server = new SMTPServer(settings);
    server.on("error", () => {}); // of connections that clients cut off
    await new Promise<void>((resolve) => server?.listen(port, HOST, resolve));
    return (server.server.address() as AddressInfo).port;
  };
  const stop = () => new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  await start();
  return { url: `smtp://${HOST}:${port}`, received, start, stop };
}
