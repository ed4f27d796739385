import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { servers } from "./servers.ts";
import { until } from "./until.ts";

const folder = path.join(servers.stackDir, "mails");

export interface Mail {
  messageId: string;
  subject: string;
  text: string;
}

/** @returns the mails that the stack's mail server has taken for an address, the first one first */
export async function mailsTo(address: string): Promise<Mail[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(`-${address}.txt`)).sort();
  const texts = await Promise.all(names.map((name) => readFile(path.join(folder, name), "utf8")));
  return texts.map((content) => {
    const [head = "", ...rest] = content.split("\n\n");
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(head)?.[1] ?? "";
    return { messageId: field("Message-ID"), subject: field("Subject"), text: rest.join("\n\n") };
  });
}

/** Waits until an address has got a mail, the `nth` (from 1) of this subject. */
export const untilMail = (address: string, subject: string, nth = 1): Promise<Mail> =>
  until(`${address} has a mail "${subject}"`, async () => {
    const mails = (await mailsTo(address)).filter((mail) => mail.subject === subject);
    return mails[nth - 1];
  });

/** @returns the token of the link in a mail's text; fails unless the link and the code beside it are the same */
export function tokenIn(text: string): string {
  const [, token] = /#token=([\w-]+)$/m.exec(text) ?? [];
  if (token === undefined || !text.split("\n").includes(token)) throw new Error(`no link and code in:\n${text}`);
  return token;
}
