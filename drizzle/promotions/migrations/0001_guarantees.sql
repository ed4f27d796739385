-- What drizzle-kit can't express.

-- Only one welcome bonus at a time, whatever races: drafts and paused ones hold their window too, so that activating
-- or resuming one can't fail for a reason that its author could have seen when writing it.
ALTER TABLE "promotions" ADD CONSTRAINT "one_welcome_bonus_at_a_time"
  EXCLUDE USING gist (tstzrange("starts_at", "ends_at") WITH &&)
  WHERE ("type" = 'WELCOME_BONUS' AND "status" <> 'ended');
--> statement-breakpoint
-- Wakes the relay when a transaction that wrote events commits.
CREATE FUNCTION "notify_outbox"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('outbox', '');
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "outbox_notify" AFTER INSERT ON "outbox" FOR EACH STATEMENT EXECUTE FUNCTION "notify_outbox"();
--> statement-breakpoint
-- Every row is deleted soon after it was written: vacuum by count, not by share, so that the table stays small.
ALTER TABLE "outbox" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
