import type { MailKind } from "./queue-mail.ts";

export interface ComposeMailInput {
  kind: MailKind;
  /** Below which the pages lie that the links lead to. */
  linksUrl: string;
  token: string;
  expiresAt: Date;
}

/** @returns subject and text of a mail: the same for the same input, since a mail may be sent again */
export function composeMail({ kind, ...input }: ComposeMailInput): { subject: string; text: string } {
  switch (kind) {
    case "password_reset":
      return {
        subject: "Choose a new password",
        text: `Somebody, probably you, has asked for a new password for your account.

${linkTo("reset-password", input)}
If you did not ask for it, do nothing: your password stays as it is.
`,
      };
    case "password_changed":
      return {
        subject: "Your password was changed",
        text: `The password of your account was changed, and all other sessions have ended.

If it was not you, ask for a new password at once, and tell the casino.
`,
      };
    case "email_verification":
      return {
        subject: "Confirm your e-mail address",
        text: `Please confirm that this is the address of your account.

${linkTo("verify-email", input)}
If you have no account here, do nothing.
`,
      };
    case "email_change":
      return {
        subject: "Confirm your new e-mail address",
        text: `Somebody, probably you, wants to make this the address of their account.

${linkTo("verify-email", input)}
If it was not you, do nothing: no account gets this address.
`,
      };
    case "email_change_requested":
      return {
        subject: "Your account is to have another e-mail address",
        text: `Somebody, probably you, has asked to give your account another address. It
will be changed as soon as that address is confirmed.

If it was not you, change your password at once: that makes it void.
`,
      };
    case "email_changed":
      return {
        subject: "Your account has another e-mail address",
        text: `The address of your account was changed. This one is no longer its address.

If it was not you, tell the casino at once.
`,
      };
    case "staff_invitation":
      return {
        subject: "You are invited to work with us",
        text: `An account was opened for you. Choose a password to use it.

${linkTo("accept-invitation", input)}
`,
      };
  }
}

/**
 * The token is in the fragment, which browsers send to nobody, so it gets into no log; and on a line of its own, for whom a link is
 * of no use.
 */
function linkTo(page: string, { linksUrl, token, expiresAt }: Omit<ComposeMailInput, "kind">): string {
  const until = expiresAt.toISOString().slice(0, 16).replace("T", " ");
  return `Open this link:

${linksUrl}/${page}#token=${token}

or, where you are asked for a code, give this one:

${token}

It can be used once, until ${until} UTC.
`;
}
