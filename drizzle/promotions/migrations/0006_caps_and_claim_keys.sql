CREATE TABLE "promotion_slots" (
	"promotion_id" uuid NOT NULL,
	"slot" smallint NOT NULL,
	"capacity" bigint NOT NULL,
	"used" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "promotion_slots_promotion_id_slot_pk" PRIMARY KEY("promotion_id","slot"),
	CONSTRAINT "used_is_within_capacity" CHECK ("promotion_slots"."used" between 0 and "promotion_slots"."capacity")
);
--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "claim_key" text;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "keys_voided" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "assignments" ADD COLUMN "slot" smallint;--> statement-breakpoint
ALTER TABLE "promotions" ADD COLUMN "max_claims" bigint;--> statement-breakpoint
ALTER TABLE "promotions" ADD COLUMN "budget_minor" bigint;--> statement-breakpoint
ALTER TABLE "promotion_slots" ADD CONSTRAINT "promotion_slots_promotion_id_promotions_id_fk" FOREIGN KEY ("promotion_id") REFERENCES "public"."promotions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "promotions" ADD CONSTRAINT "caps_are_positive" CHECK (coalesce("promotions"."max_claims" > 0, true) and coalesce("promotions"."budget_minor" >= "promotions"."amount_minor", true));--> statement-breakpoint
-- What drizzle-kit can't express.

-- Updated with each claim of a promotion that has a cap: room on the page for the next version of a row.
ALTER TABLE "promotion_slots" SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
--> statement-breakpoint
-- Claims that are under way just now have the key that every version gives the first attempts.
UPDATE "assignments" SET "claim_key" = "id"::text WHERE "status" = 'claiming';
--> statement-breakpoint
-- A replica of an older version knows no cap, and gives claims up whose credit may still come: it can do neither.
ALTER TABLE "assignments" ADD CONSTRAINT "claiming_has_key" CHECK (
  CASE "status" WHEN 'claiming' THEN "claim_key" IS NOT NULL WHEN 'assigned' THEN "claim_key" IS NULL ELSE true END);
