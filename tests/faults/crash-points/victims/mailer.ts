import { connectMail, type MailPort } from "../../../../lib/mail.ts";
import { connectDatabase } from "../../../../lib/postgres.ts";
import { runMailer } from "../../../../workers/mailer/mailer.ts";
import { beginVictim, log, VICTIM } from "./steps.ts";
import { watchDatabase } from "./watch-database.ts";

export interface Input {
  databaseUrl: string;
  smtpUrl: string;
  linkKey: string;
}

const { input, reach } = beginVictim<Input>();
const { db } = connectDatabase({ url: input.databaseUrl, name: VICTIM, connectionsMax: 2 });
const smtp = connectMail({ url: input.smtpUrl, from: "no-reply@casino.example" });
const mail: MailPort = {
  async send(content, signal) {
    reach("send");
    await smtp.send(content, signal);
    reach("taken");
  },
};
runMailer(
  {
    db: watchDatabase(db, reach),
    log,
    mail,
    linkKey: input.linkKey,
    linksUrl: "https://casino.example/account",
  },
  { intervalMs: 100 },
);
