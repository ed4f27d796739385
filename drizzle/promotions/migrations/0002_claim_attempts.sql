ALTER TABLE "assignments" ADD COLUMN "attempted_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "open_attempts" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "takeovers" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
-- Claims that are under way just now have one attempt, as far as anybody knows.
UPDATE "assignments" SET "attempted_at" = "claiming_at", "open_attempts" = 1 WHERE "status" = 'claiming';
