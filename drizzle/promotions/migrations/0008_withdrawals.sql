ALTER TYPE "public"."assignment_status" ADD VALUE 'revoking' BEFORE 'revoked';--> statement-breakpoint
ALTER TABLE "assignments" DROP CONSTRAINT "claimed_has_transaction";--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "revoking_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "revoked_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "revoked_by" uuid;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "revoke_reason" text;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "revoke_request_id" text;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "debits_voided" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "reversal_transaction_id" uuid;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "reversal_balance_minor" bigint;--> statement-breakpoint
CREATE INDEX "assignments_revoking" ON "assignments" USING btree ("revoking_at") WHERE "assignments"."revoking_at" is not null and "assignments"."revoked_at" is null;--> statement-breakpoint
ALTER TABLE "assignments" ADD CONSTRAINT "paid_has_transaction" CHECK (case "assignments"."status" when 'claimed' then num_nulls("assignments"."transaction_id", "assignments"."claimed_at", "assignments"."balance_minor") = 0
        when 'assigned' then num_nonnulls("assignments"."transaction_id", "assignments"."claimed_at", "assignments"."balance_minor") = 0
        when 'claiming' then num_nonnulls("assignments"."transaction_id", "assignments"."claimed_at", "assignments"."balance_minor") = 0 else true end);--> statement-breakpoint
ALTER TABLE "assignments" ADD CONSTRAINT "revoked_has_reason" CHECK ("assignments"."status" <> 'revoked' or num_nulls("assignments"."revoked_at", "assignments"."revoked_by", "assignments"."revoke_reason") = 0);