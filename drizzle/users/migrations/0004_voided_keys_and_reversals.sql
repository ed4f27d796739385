CREATE TABLE "voided_keys" (
	"idempotency_key" text PRIMARY KEY NOT NULL,
	"voided_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "transactions" ADD COLUMN "reverses" text;--> statement-breakpoint
CREATE UNIQUE INDEX "transactions_reverses" ON "transactions" USING btree ("reverses") WHERE "transactions"."reverses" is not null;--> statement-breakpoint
ALTER TABLE "transactions" ADD CONSTRAINT "transactions_reversal_is_debit" CHECK ("transactions"."reverses" is null or "transactions"."type" = 'DEBIT');--> statement-breakpoint
-- What drizzle-kit can't express.

-- Nothing is written under a voided key, by no replica of whatever version. Whoever writes under a key shares its lock until
-- the commit, whoever voids it has it alone, so that one sees what the other did. A trigger's queries see what was committed
-- while the statement waited for the player's row; the statement's own don't.
CREATE FUNCTION "refuse_voided_key"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended(NEW.idempotency_key, 0));
  IF EXISTS (SELECT FROM voided_keys WHERE idempotency_key = NEW.idempotency_key) THEN
    RAISE EXCEPTION 'the idempotency key % was voided', NEW.idempotency_key USING ERRCODE = 'LV001';
  END IF;
  RETURN NEW;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "transactions_key_not_voided" BEFORE INSERT ON "transactions"
  FOR EACH ROW EXECUTE FUNCTION "refuse_voided_key"();
--> statement-breakpoint
CREATE TRIGGER "voided_keys_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "voided_keys"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
