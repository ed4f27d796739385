DROP INDEX "assignments_claiming";--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "attempted_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "open_attempts" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "takeovers" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "assignments_claiming" ON "assignments" USING btree ("attempted_at") WHERE "assignments"."status" = 'claiming';