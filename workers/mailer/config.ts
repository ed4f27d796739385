import { z } from "zod";
import { baseConfig, field } from "../../lib/config.ts";

export const config = z.object({
  ...baseConfig,
  DATABASE_URL: field.postgresUrl.meta({ description: "Users' database" }),
  SMTP_URL: field.smtpUrl.meta({
    description:
      "where mails are sent: `smtps://user:password@host`, or `smtp://…?requireTLS=true`; a plain `smtp://` may go unencrypted",
  }),
  MAIL_FROM: z
    .string()
    .regex(/^(?:[^<>\r\n]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/, "must be an address, or Name <address>")
    .meta({ valueType: "address, or `Name <address>`", description: "who writes the mails" }),
  MAIL_LINK_KEY: field.mailLinkKey,
  MAIL_LINKS_URL: field.httpUrl
    .transform((value) => value.replace(/\/+$/, ""))
    .meta({
      description:
        "below which the pages lie that links in mails lead to: `reset-password`, `verify-email`, `accept-invitation`, each with `#token=`",
    }),
  INTERVAL_MS: field
    .wholeNumber(100, 60_000)
    .default(1_000)
    .meta({ description: "how often it looks for mails to send" }),
});
