CREATE TYPE "public"."assignment_status" AS ENUM('assigned', 'claiming', 'claimed', 'revoked');--> statement-breakpoint
CREATE TYPE "public"."player_status" AS ENUM('active', 'suspended', 'self_excluded');--> statement-breakpoint
CREATE TYPE "public"."promotion_status" AS ENUM('draft', 'active', 'paused', 'ended');--> statement-breakpoint
CREATE TYPE "public"."promotion_type" AS ENUM('WELCOME_BONUS', 'VIP_PROMOTION', 'BONUS');--> statement-breakpoint
CREATE TABLE "assignments" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"player_id" uuid NOT NULL,
	"promotion_id" uuid NOT NULL,
	"status" "assignment_status" DEFAULT 'assigned' NOT NULL,
	"assigned_by" uuid,
	"assigned_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"claiming_at" timestamp (3) with time zone,
	"claimed_at" timestamp (3) with time zone,
	"transaction_id" uuid,
	"balance_minor" bigint,
	CONSTRAINT "assigned_once" UNIQUE("player_id","promotion_id"),
	CONSTRAINT "claimed_has_transaction" CHECK (("assignments"."status" = 'claimed') = ("assignments"."transaction_id" is not null and "assignments"."claimed_at" is not null and "assignments"."balance_minor" is not null))
);
--> statement-breakpoint
CREATE TABLE "players" (
	"id" uuid PRIMARY KEY NOT NULL,
	"status" "player_status" DEFAULT 'active' NOT NULL,
	"status_at" timestamp (3) with time zone NOT NULL,
	"registered_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "promotion_status_changes" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"promotion_id" uuid NOT NULL,
	"status" "promotion_status" NOT NULL,
	"changed_by" uuid NOT NULL,
	"changed_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "promotions" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"title" text NOT NULL,
	"description" text NOT NULL,
	"type" "promotion_type" NOT NULL,
	"status" "promotion_status" NOT NULL,
	"amount_minor" bigint NOT NULL,
	"currency" char(3) NOT NULL,
	"starts_at" timestamp (3) with time zone NOT NULL,
	"ends_at" timestamp (3) with time zone NOT NULL,
	"created_by" uuid NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "amount_is_positive" CHECK ("promotions"."amount_minor" > 0),
	CONSTRAINT "window_is_not_empty" CHECK ("promotions"."starts_at" < "promotions"."ends_at")
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "outbox_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"topic" text NOT NULL,
	"key" text NOT NULL,
	"event" jsonb NOT NULL,
	"headers" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "assignments" ADD CONSTRAINT "assignments_promotion_id_promotions_id_fk" FOREIGN KEY ("promotion_id") REFERENCES "public"."promotions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "promotion_status_changes" ADD CONSTRAINT "promotion_status_changes_promotion_id_promotions_id_fk" FOREIGN KEY ("promotion_id") REFERENCES "public"."promotions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "assignments_promotion" ON "assignments" USING btree ("promotion_id");--> statement-breakpoint
CREATE INDEX "assignments_claiming" ON "assignments" USING btree ("claiming_at") WHERE "assignments"."status" = 'claiming';--> statement-breakpoint
CREATE INDEX "promotion_status_changes_promotion" ON "promotion_status_changes" USING btree ("promotion_id","changed_at");--> statement-breakpoint
CREATE INDEX "promotions_type_status" ON "promotions" USING btree ("type","status");