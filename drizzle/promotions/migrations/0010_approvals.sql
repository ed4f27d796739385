ALTER TYPE "public"."promotion_status" ADD VALUE 'pending_approval' BEFORE 'active';--> statement-breakpoint
ALTER TABLE "promotions" ADD COLUMN "version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "promotions" ADD COLUMN "submitted_by" uuid;--> statement-breakpoint
ALTER TABLE "promotions" ADD COLUMN "approved_by" uuid;--> statement-breakpoint
ALTER TABLE "promotions" ADD COLUMN "approved_version" integer;--> statement-breakpoint
ALTER TABLE "promotions" ADD COLUMN "edited_by" uuid[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "promotions" ADD COLUMN "pending_change" jsonb;