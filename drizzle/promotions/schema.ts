import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  char,
  check,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { PLAYER_STATUSES, PROMOTION_TYPES } from "../../lib/events.ts";

export const promotionType = pgEnum("promotion_type", PROMOTION_TYPES);
export const promotionStatus = pgEnum("promotion_status", ["draft", "pending_approval", "active", "paused", "ended"]);
export const assignmentStatus = pgEnum("assignment_status", [
  "assigned",
  "claiming",
  "claimed",
  "revoking",
  "revoked",
  "expired",
]);
export const playerStatus = pgEnum("player_status", PLAYER_STATUSES);

export type PromotionStatus = (typeof promotionStatus.enumValues)[number];

const id = () => uuid("id").primaryKey().default(sql`uuidv7()`);
/** Milliseconds, so that a time survives the way through JSON and back. */
const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" });

export interface PendingChange {
  maxClaims: number | null;
  budgetMinor: number | null;
}

/**
 * What a casino offers. A migration adds the exclusion constraint `one_welcome_bonus_at_a_time`: the windows of
 * welcome bonuses that have not ended don't overlap.
 */
export const promotions = pgTable(
  "promotions",
  {
    id: id(),
    title: text("title").notNull(),
    description: text("description").notNull(),
    /** The significant conditions, as players are shown them; fixed once it was active. */
    terms: text("terms"),
    type: promotionType("type").notNull(),
    status: promotionStatus("status").notNull(),
    amountMinor: bigint("amount_minor", { mode: "number" }).notNull(),
    currency: char("currency", { length: 3 }).notNull(),
    startsAt: time("starts_at").notNull(),
    endsAt: time("ends_at").notNull(),
    /** How many claims may be paid; null: any number. With a cap of either kind, `promotion_slots` has its rows. */
    maxClaims: bigint("max_claims", { mode: "number" }),
    /** Minor units that claims may use up in all; null: any amount. */
    budgetMinor: bigint("budget_minor", { mode: "number" }),
    /** Whether only players claim it whose identity was verified. */
    requiresVerification: boolean("requires_verification").notNull().default(false),
    /** How many hours a player has from the assignment on to claim it; null: until the promotion's end. */
    claimWithinHours: integer("claim_within_hours"),
    /** What players enter to have it, in its canonical form (domain/promotions/promotions/code.ts); null: nobody can. */
    code: text("code"),
    createdBy: uuid("created_by").notNull(),
    /** Grows with every change; an approval names the one that it approves. */
    version: integer("version").notNull().default(1),
    /** Who asked for the approval that is awaited, or was given last. */
    submittedBy: uuid("submitted_by"),
    approvedBy: uuid("approved_by"),
    /** What was approved last. */
    approvedVersion: integer("approved_version"),
    /** Who has changed something since: none of them can approve. */
    editedBy: uuid("edited_by").array().notNull().default(sql`'{}'`),
    /** Caps that wait for an approval, while those above hold. */
    pendingChange: jsonb("pending_change").$type<PendingChange>(),
    createdAt: time("created_at").notNull().default(sql`now()`),
    updatedAt: time("updated_at").notNull().default(sql`now()`),
  },
  (table) => [
    check("amount_is_positive", sql`${table.amountMinor} > 0`),
    check("window_is_not_empty", sql`${table.startsAt} < ${table.endsAt}`),
    check(
      "caps_are_positive",
      sql`coalesce(${table.maxClaims} > 0, true) and coalesce(${table.budgetMinor} >= ${table.amountMinor}, true)`,
    ),
    check("claim_within_hours_in_bounds", sql`coalesce(${table.claimWithinHours} between 1 and 8760, true)`),
    check("code_is_canonical", sql`coalesce(${table.code} ~ '^[A-Z0-9-]{4,32}$', true)`),
    index("promotions_type_status").on(table.type, table.status),
    uniqueIndex("one_promotion_per_code").on(table.code).where(sql`${table.status} <> 'ended'`),
  ],
);

/**
 * The cap of a promotion that has one, in a fixed number of parts, so that claims at once don't all wait for one row. The sum
 * of `used` are the claims that were paid or are under way, and the sum of `capacity` is how many there may be.
 */
export const promotionSlots = pgTable(
  "promotion_slots",
  {
    promotionId: uuid("promotion_id")
      .notNull()
      .references(() => promotions.id),
    slot: smallint("slot").notNull(),
    capacity: bigint("capacity", { mode: "number" }).notNull(),
    used: bigint("used", { mode: "number" }).notNull().default(0),
  },
  (table) => [
    primaryKey({ columns: [table.promotionId, table.slot] }),
    check("used_is_within_capacity", sql`${table.used} between 0 and ${table.capacity}`),
  ],
);

/** When a promotion took which status: tells which bonus was active when a player registered, however late we ask. */
export const promotionStatusChanges = pgTable(
  "promotion_status_changes",
  {
    id: id(),
    promotionId: uuid("promotion_id")
      .notNull()
      .references(() => promotions.id),
    status: promotionStatus("status").notNull(),
    changedBy: uuid("changed_by").notNull(),
    changedAt: time("changed_at").notNull(),
  },
  (table) => [index("promotion_status_changes_promotion").on(table.promotionId, table.changedAt)],
);

/** Our copy of the players, fed by topic `player`. */
export const players = pgTable("players", {
  id: uuid("id").primaryKey(),
  status: playerStatus("status").notNull().default("active"),
  /** Time of the event that set the status: an older one that comes later must not undo it. */
  statusAt: time("status_at").notNull(),
  registeredAt: time("registered_at"),
  /** Whether their identity was verified. */
  verified: boolean("verified").notNull().default(false),
  /** Time of the event that set it, if there was one: an older one that comes later must not undo it. */
  verifiedAt: time("verified_at"),
});

/**
 * A promotion assigned to a player, once. What is `claiming` has a claim key, and what is `assigned` has none (a migration adds
 * the constraint): a version that does not know keys that are voided can neither begin a claim nor give one up.
 */
export const assignments = pgTable(
  "assignments",
  {
    id: id(),
    playerId: uuid("player_id").notNull(),
    promotionId: uuid("promotion_id")
      .notNull()
      .references(() => promotions.id),
    status: assignmentStatus("status").notNull().default("assigned"),
    /** The member of staff, or the player themselves with its code; null when the welcome bonus was assigned by itself. */
    assignedBy: uuid("assigned_by"),
    assignedAt: time("assigned_at").notNull().default(sql`now()`),
    /** When the claim began that is under way, or has ended well. */
    claimingAt: time("claiming_at"),
    /** When the last attempt began: as long as it can live, the reconciler leaves the claim alone. */
    attemptedAt: time("attempted_at"),
    /** Of versions before claim keys. */
    openAttempts: integer("open_attempts").notNull().default(0),
    /** Of versions before claim keys. */
    takeovers: integer("takeovers").notNull().default(0),
    /** The idempotency key of the credit: the assignment's id, and after it the number of keys that were given up. */
    claimKey: text("claim_key"),
    /** How many keys were given up: each is void in Users. */
    keysVoided: integer("keys_voided").notNull().default(0),
    /** The part of the promotion's cap that the claim uses, or 0 for one from before it had a cap. */
    slot: smallint("slot"),
    claimedAt: time("claimed_at"),
    transactionId: uuid("transaction_id"),
    /** The balance right after the credit, so that the same claim gets the same answer. */
    balanceMinor: bigint("balance_minor", { mode: "number" }),
    /** When the withdrawal began that is under way, or has ended well. */
    revokingAt: time("revoking_at"),
    revokedAt: time("revoked_at"),
    revokedBy: uuid("revoked_by"),
    revokeReason: text("revoke_reason"),
    /** Of the request, for the audit. */
    revokeRequestId: text("revoke_request_id"),
    /** Of debits that were given up since the balance was too low: each has a key that is void in Users. */
    debitsVoided: integer("debits_voided").notNull().default(0),
    /** The debit that took the credit back; null if nothing had been claimed. */
    reversalTransactionId: uuid("reversal_transaction_id"),
    reversalBalanceMinor: bigint("reversal_balance_minor", { mode: "number" }),
    /** When it was marked, which is soon after its deadline; the deadline itself is derived (domain/promotions/assignments/deadline.ts). */
    expiredAt: time("expired_at"),
    /** When the player was told that it soon runs out. */
    expiryToldAt: time("expiry_told_at"),
  },
  (table) => [
    unique("assigned_once").on(table.playerId, table.promotionId),
    index("assignments_promotion").on(table.promotionId, table.id),
    // What can run out, by age; each assignment that is open is in one of the two.
    index("assignments_untold")
      .on(table.promotionId, table.assignedAt, table.id)
      .where(sql`${table.status} = 'assigned' and ${table.expiryToldAt} is null`),
    index("assignments_told")
      .on(table.promotionId, table.assignedAt, table.id)
      .where(sql`${table.status} = 'assigned' and ${table.expiryToldAt} is not null`),
    index("assignments_claiming").on(table.claimingAt).where(sql`${table.status} = 'claiming'`),
    index("assignments_revoking")
      .on(table.revokingAt)
      .where(sql`${table.revokingAt} is not null and ${table.revokedAt} is null`),
    // As text: a value that is new to an enum can't be used in the transaction that adds it.
    check("expired_has_time", sql`(${table.status}::text = 'expired') = (${table.expiredAt} is not null)`),
    check(
      "paid_has_transaction",
      sql`case ${table.status} when 'claimed' then num_nulls(${table.transactionId}, ${table.claimedAt}, ${table.balanceMinor}) = 0
        when 'assigned' then num_nonnulls(${table.transactionId}, ${table.claimedAt}, ${table.balanceMinor}) = 0
        when 'claiming' then num_nonnulls(${table.transactionId}, ${table.claimedAt}, ${table.balanceMinor}) = 0 else true end`,
    ),
    check(
      "revoked_has_reason",
      sql`${table.status} <> 'revoked' or num_nulls(${table.revokedAt}, ${table.revokedBy}, ${table.revokeReason}) = 0`,
    ),
  ],
);

/** How many assignments of a promotion are in which state, or by how many that changed. */
const counts = {
  /** in whatever state */
  assigned: bigint("assigned", { mode: "number" }).notNull().default(0),
  /** `assigned` and `claiming` */
  open: bigint("open", { mode: "number" }).notNull().default(0),
  /** paid, and not taken back: `claimed` and `revoking` */
  claimed: bigint("claimed", { mode: "number" }).notNull().default(0),
  /** marked as such */
  expired: bigint("expired", { mode: "number" }).notNull().default(0),
  /** revoked before they were paid */
  revoked: bigint("revoked", { mode: "number" }).notNull().default(0),
  /** revoked after they were paid, and taken back */
  reversed: bigint("reversed", { mode: "number" }).notNull().default(0),
};

/** The quarter of an hour, in UTC, that something happened in: days of every time zone are made of them. */
const quarter = () => timestamp("quarter", { withTimezone: true, mode: "date" }).notNull();

/**
 * Changes of assignments that `promotion_statistics` does not contain yet: rows that are only inserted, by a trigger of
 * `assignments`, so that claims never wait for each other to be counted. Without a key: who folds them takes what is there.
 */
export const assignmentChanges = pgTable("assignment_changes", {
  promotionId: uuid("promotion_id").notNull(),
  quarter: quarter(),
  ...counts,
});

/** The counts of each promotion, but for what `assignment_changes` has. */
export const promotionStatistics = pgTable("promotion_statistics", {
  promotionId: uuid("promotion_id").primaryKey(),
  ...counts,
});

/** When that was: what was assigned in a quarter, and what of today's claimed was claimed in it. */
export const promotionQuarters = pgTable(
  "promotion_quarters",
  {
    promotionId: uuid("promotion_id").notNull(),
    quarter: quarter(),
    assigned: counts.assigned,
    claimed: counts.claimed,
  },
  (table) => [primaryKey({ columns: [table.promotionId, table.quarter] })],
);
