ALTER TABLE "players" ADD COLUMN "verified" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "players" ADD COLUMN "verified_at" timestamp (3) with time zone;