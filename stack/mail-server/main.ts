/**
 * The mail server of a stack on one machine: it takes every mail and writes it into a file of its own, to be read there. It sends
 * nothing on.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";
import { writeFileAtomically } from "../files.ts";

/** Files; the oldest go, since registrations under load are mails too. */
const MAILS_MAX = 5_000;
/** How many go at once, so that the folder is not read for each mail. */
const SPARE = 500;

const [host = "", port = "", folder = ""] = process.argv.slice(2);

let taken = 0;
const server = new SMTPServer({
  disabledCommands: ["AUTH", "STARTTLS"],
  disableReverseLookup: true,
  logger: false,
  onData(stream, session, done) {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("end", () => {
      const recipients = session.envelope.rcptTo.map(({ address }) => address);
      keep(recipients, Buffer.concat(chunks)).then(() => done(), done);
    });
  },
});
server.on("error", (error) => {
  console.error(`the mail server failed: ${error.message}`);
  process.exit(1);
});
server.listen(Number(port), host);
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));

/** Written out as a person reads it: what comes over the wire is encoded, and breaks long links. */
async function keep(recipients: string[], raw: Buffer): Promise<void> {
  const { subject, messageId, from, text } = await PostalMime.parse(raw);
  const at = new Date().toISOString();
  taken += 1;
  // Sorted by time; two in a millisecond by their number.
  const name = `${at.replaceAll(":", "-")}-${String(taken).padStart(6, "0")}-${fileNameOf(recipients[0] ?? "nobody")}.txt`;
  const head = { From: from?.address, To: recipients.join(", "), Date: at, "Message-ID": messageId, Subject: subject };
  const lines = Object.entries(head).map(([field, value]) => `${field}: ${value}`);
  writeFileAtomically(join(folder, name), `${lines.join("\n")}\n\n${text}`);
  if (taken % SPARE === 1) await forgetOldest();
}

const fileNameOf = (address: string) => address.replace(/[^A-Za-z0-9@._+-]/g, "_").slice(0, 100);

async function forgetOldest(): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".txt")).sort();
  const surplus = names.slice(0, Math.max(0, names.length - (MAILS_MAX - SPARE)));
  await Promise.all(surplus.map((name) => rm(join(folder, name), { force: true })));
}
