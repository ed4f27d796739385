import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { startSmtp } from "../tests/support/smtp.ts";
import { newId } from "./ids.ts";
import { connectMail, MailRefusedError } from "./mail.ts";

const FROM = "Casino <no-reply@casino.example>";
const mailTo = (to: string) => ({
  id: newId(),
  to,
  subject: "Ünïcode — of a test",
  text: "/etc/passwd\n.\nhttp://a.example\n",
});

test("a mail arrives as it is, and the same one again has the same Message-ID", async () => {
  const smtp = await startSmtp();
  const port = connectMail({ url: smtp.url, from: FROM });
  const mail = mailTo("o'hara+x@example.com");
  await port.send(mail);
  await port.send(mail);
  const { id, ...content } = mail;
  const received = { ...content, messageId: `<${id}@casino.example>` };
  expect(smtp.received).toEqual([received, received]);
  await smtp.stop();
});

test("an address that the server will never take is told from what may be tried again", async () => {
  const smtp = await startSmtp({ refuses: ["nobody@example.com"] });
  const port = connectMail({ url: smtp.url, from: FROM });
  await expect(port.send(mailTo("nobody@example.com"))).rejects.toBeInstanceOf(MailRefusedError);
  await smtp.stop();
  const failure = await port.send(mailTo("ada@example.com")).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Error);
  expect(failure).not.toBeInstanceOf(MailRefusedError);
});

test("a send to a server that says nothing can be given up", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const port = connectMail({ url: `smtp://127.0.0.1:${(silent.address() as AddressInfo).port}`, from: FROM });
  const givingUp = new AbortController();
  const sending = port.send(mailTo("ada@example.com"), givingUp.signal);
  const [socket] = await once(silent, "connection");
  givingUp.abort();
  await expect(sending).rejects.toMatchObject({ code: "EABORT" });
  if (!socket.destroyed) await once(socket.resume(), "close");
  silent.close();
});
