ALTER TABLE "promotions" ADD COLUMN "code" text;--> statement-breakpoint
CREATE UNIQUE INDEX "one_promotion_per_code" ON "promotions" USING btree ("code") WHERE "promotions"."status" <> 'ended';--> statement-breakpoint
ALTER TABLE "promotions" ADD CONSTRAINT "code_is_canonical" CHECK (coalesce("promotions"."code" ~ '^[A-Z0-9-]{4,32}$', true));