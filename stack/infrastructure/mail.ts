import { join } from "node:path";
import { makePrivateFolder } from "../files.ts";
import { ROOT } from "../plan/layout.ts";
import { HOST } from "../plan/ports.ts";
import { exchange } from "../supervisor/probes.ts";
import type { ProcessSpec } from "../supervisor/process-spec.ts";
import { baseEnvironment, placeOf, portOf, type ServerContext } from "./context.ts";

/** Who writes the mails of a stack. */
export const MAIL_FROM = "Casino <no-reply@casino.example>";

/** @returns the URL that the mailer sends to */
export function smtpUrl(context: ServerContext): string {
  return `smtp://${HOST}:${portOf(context, "mail")}`;
}

/** @returns how to run the SMTP server that writes mails into files instead of sending them on */
export function prepareMail(context: ServerContext): ProcessSpec {
  const port = portOf(context, "mail");
  makePrivateFolder(context.layout.mails);
  return {
    ...placeOf(context.layout, "mail"),
    role: "mail",
    tier: "infrastructure",
    command: process.execPath,
    args: [join(ROOT, "stack/mail-server/main.ts"), HOST, String(port), context.layout.mails],
    env: baseEnvironment(),
    port,
    stopSignal: "SIGTERM",
    probe: (signal) => greet(port, signal),
  };
}

/** It speaks first (RFC 5321, 3.1), and takes who does not wait for that for a spammer. */
async function greet(port: number, signal: AbortSignal): Promise<void> {
  const answer = await exchange(port, "", (bytes) => bytes.includes("\n"), signal);
  if (!answer.toString().startsWith("220 ")) throw new Error(`the mail server answers ${answer.toString().trim()}`);
}
