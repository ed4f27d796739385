import { MAIL_BACKLOG_GAUGES, readMailBacklog } from "../../domain/users/mails/read-mail-backlog.ts";
import { connectMail } from "../../lib/mail.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runProcess } from "../../lib/process.ts";
import { addReadGauges } from "../../lib/telemetry/metrics.ts";
import { config as schema } from "./config.ts";
import { runMailer } from "./mailer.ts";

await runProcess("mailer", schema, async ({ config, log, metrics, health, onStop, onCircuitChange }) => {
  const database = connectDatabase({
    url: config.DATABASE_URL,
    name: config.INSTANCE,
    onCircuitChange,
    connectionsMax: 2,
  });
  onStop("database", database.close);
  // The mail server is no condition of readiness: while it is away, waiting is what this process should do.
  health.addCheck("postgres", database.check);
  addReadGauges(metrics, MAIL_BACKLOG_GAUGES, () => readMailBacklog(database));

  const mailer = runMailer(
    {
      db: database.db,
      log,
      mail: connectMail({ url: config.SMTP_URL, from: config.MAIL_FROM }),
      linkKey: config.MAIL_LINK_KEY,
      linksUrl: config.MAIL_LINKS_URL,
    },
    { intervalMs: config.INTERVAL_MS, onOutcome: (kind, outcome) => metrics.mailsTotal.inc({ kind, outcome }) },
  );
  onStop("mailer", mailer.stop);
  health.addLoop("mailer", mailer.checkLoop);
});
