ALTER TYPE "public"."assignment_status" ADD VALUE 'expired';--> statement-breakpoint
DROP INDEX "assignments_promotion";--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "expired_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "expiry_told_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "promotions" ADD COLUMN "claim_within_hours" integer;--> statement-breakpoint
CREATE INDEX "assignments_untold" ON "assignments" USING btree ("promotion_id","assigned_at","id") WHERE "assignments"."status" = 'assigned' and "assignments"."expiry_told_at" is null;--> statement-breakpoint
CREATE INDEX "assignments_told" ON "assignments" USING btree ("promotion_id","assigned_at","id") WHERE "assignments"."status" = 'assigned' and "assignments"."expiry_told_at" is not null;--> statement-breakpoint
CREATE INDEX "assignments_promotion" ON "assignments" USING btree ("promotion_id","id");--> statement-breakpoint
ALTER TABLE "assignments" ADD CONSTRAINT "expired_has_time" CHECK (("assignments"."status"::text = 'expired') = ("assignments"."expired_at" is not null));--> statement-breakpoint
ALTER TABLE "promotions" ADD CONSTRAINT "claim_within_hours_in_bounds" CHECK (coalesce("promotions"."claim_within_hours" between 1 and 8760, true));