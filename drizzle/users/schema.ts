import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  char,
  check,
  index,
  integer,
  pgEnum,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import type { Role } from "../../lib/auth/principal.ts";
import { PLAYER_STATUSES } from "../../lib/events.ts";

export const userRole = pgEnum("user_role", ["player", "staff", "admin"] satisfies [Role, ...Role[]]);
export const userStatus = pgEnum("user_status", PLAYER_STATUSES);
export const transactionType = pgEnum("transaction_type", ["CREDIT", "DEBIT"]);
export const mailKind = pgEnum("mail_kind", [
  "password_reset",
  "password_changed",
  "email_verification",
  "email_change",
  "email_change_requested",
  "email_changed",
  "staff_invitation",
]);

const id = () => uuid("id").primaryKey().default(sql`uuidv7()`);
/** Milliseconds, so that a time survives the way through JSON and back. */
const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3 }).notNull().default(sql`now()`);

/** Players, staff and admins. Only players have a balance; it is the sum of their transactions. */
export const users = pgTable(
  "users",
  {
    id: id(),
    email: text("email").notNull(),
    /** Whether its owner has shown that the mailbox is theirs. It says nothing of who they are. */
    emailVerified: boolean("email_verified").notNull().default(false),
    passwordHash: text("password_hash").notNull(),
    role: userRole("role").notNull(),
    status: userStatus("status").notNull().default("active"),
    balanceMinor: bigint("balance_minor", { mode: "number" }).notNull().default(0),
    currency: char("currency", { length: 3 }).notNull(),
    /** Whether the player's identity was verified. */
    verified: boolean("verified").notNull().default(false),
    /** null if it never was. */
    verificationChangedAt: timestamp("verification_changed_at", { withTimezone: true, precision: 3 }),
    /** When staff were last invited; null for whoever has a password, because they have accepted or were never invited. */
    invitedAt: timestamp("invited_at", { withTimezone: true, precision: 3 }),
    createdAt: time("created_at"),
    updatedAt: time("updated_at"),
  },
  (table) => [
    // text_pattern_ops: one index keeps e-mails unique, finds one and serves the prefix search.
    uniqueIndex("users_email_key").on(sql`lower(${table.email}) text_pattern_ops`),
    // The rare ones among many players, for the filters of the staff's list.
    index("users_staff_idx").on(table.role, table.id).where(sql`${table.role} <> 'player'`),
    index("users_not_active_idx").on(table.status, table.id).where(sql`${table.status} <> 'active'`),
    // 2^53 - 1: the largest integer that JSON and JavaScript carry exactly.
    check("users_balance_in_bounds", sql`${table.balanceMinor} between 0 and 9007199254740991`),
    check("users_balance_of_players_only", sql`${table.role} = 'player' or ${table.balanceMinor} = 0`),
  ],
);

/** The ledger. A row is never changed or deleted; a trigger sees to it. */
export const transactions = pgTable(
  "transactions",
  {
    id: id(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id),
    type: transactionType("type").notNull(),
    amountMinor: bigint("amount_minor", { mode: "number" }).notNull(),
    balanceAfterMinor: bigint("balance_after_minor", { mode: "number" }).notNull(),
    currency: char("currency", { length: 3 }).notNull(),
    description: text("description").notNull(),
    reference: text("reference").notNull(),
    idempotencyKey: text("idempotency_key").notNull(),
    requestHash: text("request_hash").notNull(),
    /** Only of a DEBIT: the idempotency key of the CREDIT that it takes back. */
    reverses: text("reverses"),
    createdAt: time("created_at"),
  },
  (table) => [
    uniqueIndex("transactions_idempotency_key").on(table.idempotencyKey),
    uniqueIndex("transactions_reverses").on(table.reverses).where(sql`${table.reverses} is not null`),
    index("transactions_user_idx").on(table.userId, table.id),
    // For exports of some time. Rows lie in the order of their times, so a summary of each range of pages will do.
    index("transactions_time_idx").using("brin", table.createdAt).with({ autosummarize: true }),
    check("transactions_amount_positive", sql`${table.amountMinor} > 0`),
    check("transactions_balance_not_negative", sql`${table.balanceAfterMinor} >= 0`),
    check("transactions_reversal_is_debit", sql`${table.reverses} is null or ${table.type} = 'DEBIT'`),
  ],
);

/** Idempotency keys under which no transaction can be written any more; a trigger of `transactions` sees to it. Append-only. */
export const voidedKeys = pgTable("voided_keys", {
  idempotencyKey: text("idempotency_key").primaryKey(),
  voidedAt: time("voided_at"),
});

/** Who changed whose status, when and why. */
export const userStatusChanges = pgTable(
  "user_status_changes",
  {
    id: id(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id),
    from: userStatus("from_status").notNull(),
    to: userStatus("to_status").notNull(),
    reason: text("reason").notNull(),
    changedBy: uuid("changed_by")
      .notNull()
      .references(() => users.id),
    changedAt: time("changed_at"),
  },
  (table) => [index("user_status_changes_user_idx").on(table.userId, table.id)],
);

/** Who shows more than a password at login: the secret of their authenticator app, sealed. */
export const secondFactors = pgTable("second_factors", {
  userId: uuid("user_id")
    .primaryKey()
    .references(() => users.id),
  sealedSecret: text("sealed_secret").notNull(),
  /** The newest step (RFC 6238) of which a code was used; no older one counts. */
  lastStep: bigint("last_step", { mode: "number" }).notNull(),
  enrolledAt: time("enrolled_at"),
});

/** The devices that a player has logged in from, as keyed hashes (`deviceOf`); the newest ones only. */
export const knownDevices = pgTable(
  "known_devices",
  {
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id),
    device: text("device").notNull(),
    firstSeenAt: time("first_seen_at"),
  },
  (table) => [primaryKey({ columns: [table.userId, table.device] })],
);

/** Codes for who has lost the app, hashed; each is deleted when it is used. */
export const recoveryCodes = pgTable(
  "recovery_codes",
  {
    userId: uuid("user_id")
      .notNull()
      .references(() => secondFactors.userId, { onDelete: "cascade" }),
    hash: text("hash").notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.hash] })],
);

/**
 * Mails: those that are to be sent, and those whose link may still be used. What has expired is deleted. The token of a link is
 * derived from the id, and stored nowhere.
 */
export const mails = pgTable(
  "mails",
  {
    id: id(),
    kind: mailKind("kind").notNull(),
    /** null until the mailer has looked who has the address, if anybody; so the request takes no look. */
    userId: uuid("user_id").references(() => users.id),
    address: text("address").notNull(),
    /** Of the account's address and password when the mail was asked for: once one of them changes, the link is void. */
    fingerprint: text("fingerprint"),
    createdAt: time("created_at"),
    /** Until then it is sent, and its link may be used. */
    expiresAt: timestamp("expires_at", { withTimezone: true, precision: 3 }).notNull(),
    /** A lease of who sends it, and how long to wait after a failure. */
    nextAttemptAt: time("next_attempt_at"),
    attempts: integer("attempts").notNull().default(0),
    sentAt: timestamp("sent_at", { withTimezone: true, precision: 3 }),
    /** When its link was used, or another took its place. */
    usedAt: timestamp("used_at", { withTimezone: true, precision: 3 }),
  },
  (table) => [
    index("mails_waiting_idx").on(table.nextAttemptAt).where(sql`${table.sentAt} is null`),
    index("mails_expires_idx").on(table.expiresAt),
    index("mails_user_idx").on(table.userId),
  ],
);
