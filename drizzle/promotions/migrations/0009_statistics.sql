CREATE TABLE "assignment_changes" (
	"promotion_id" uuid NOT NULL,
	"quarter" timestamp with time zone NOT NULL,
	"assigned" bigint DEFAULT 0 NOT NULL,
	"open" bigint DEFAULT 0 NOT NULL,
	"claimed" bigint DEFAULT 0 NOT NULL,
	"expired" bigint DEFAULT 0 NOT NULL,
	"revoked" bigint DEFAULT 0 NOT NULL,
	"reversed" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "promotion_quarters" (
	"promotion_id" uuid NOT NULL,
	"quarter" timestamp with time zone NOT NULL,
	"assigned" bigint DEFAULT 0 NOT NULL,
	"claimed" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "promotion_quarters_promotion_id_quarter_pk" PRIMARY KEY("promotion_id","quarter")
);
--> statement-breakpoint
CREATE TABLE "promotion_statistics" (
	"promotion_id" uuid PRIMARY KEY NOT NULL,
	"assigned" bigint DEFAULT 0 NOT NULL,
	"open" bigint DEFAULT 0 NOT NULL,
	"claimed" bigint DEFAULT 0 NOT NULL,
	"expired" bigint DEFAULT 0 NOT NULL,
	"revoked" bigint DEFAULT 0 NOT NULL,
	"reversed" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
-- What drizzle-kit can't express.

-- By how much each statement changes the counts, per promotion and quarter of an hour. Rows are inserted and never updated, so
-- that nobody waits. The status is compared as text: values that are new to the enum count from the migration on that adds them.
CREATE FUNCTION "record_assignment_changes"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO assignment_changes (promotion_id, quarter, assigned, open, claimed, expired, revoked, reversed)
    SELECT promotion_id, quarter, sum(assigned), sum(open), sum(claimed), sum(expired), sum(revoked), sum(reversed)
    FROM after, LATERAL counts_of_assignment(status::text, assigned_at, claimed_at, transaction_id) GROUP BY 1, 2;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO assignment_changes (promotion_id, quarter, assigned, open, claimed, expired, revoked, reversed)
    SELECT promotion_id, quarter, -sum(assigned), -sum(open), -sum(claimed), -sum(expired), -sum(revoked), -sum(reversed)
    FROM before, LATERAL counts_of_assignment(status::text, assigned_at, claimed_at, transaction_id) GROUP BY 1, 2;
  ELSE
    INSERT INTO assignment_changes (promotion_id, quarter, assigned, open, claimed, expired, revoked, reversed)
    SELECT promotion_id, quarter, sum(n * assigned), sum(n * open), sum(n * claimed), sum(n * expired), sum(n * revoked),
      sum(n * reversed)
    FROM (
      SELECT -1 AS n, promotion_id, status, assigned_at, claimed_at, transaction_id FROM before
      UNION ALL SELECT 1, promotion_id, status, assigned_at, claimed_at, transaction_id FROM after
    ) AS versions, LATERAL counts_of_assignment(status::text, assigned_at, claimed_at, transaction_id)
    GROUP BY 1, 2
    HAVING (sum(n * assigned), sum(n * open), sum(n * claimed), sum(n * expired), sum(n * revoked), sum(n * reversed))
      <> (0, 0, 0, 0, 0, 0);
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
-- What one assignment counts for, where and when: when it was assigned for all that it is, and when it was claimed for that.
CREATE FUNCTION "counts_of_assignment"("status" text, "assigned_at" timestamptz, "claimed_at" timestamptz, "transaction_id" uuid)
RETURNS TABLE ("quarter" timestamptz, "assigned" int, "open" int, "claimed" int, "expired" int, "revoked" int, "reversed" int)
LANGUAGE sql IMMUTABLE AS $$
  SELECT date_bin('15 minutes', $2, 'epoch'), 1, ($1 IN ('assigned', 'claiming'))::int, 0, ($1 = 'expired')::int,
    ($1 = 'revoked' AND $4 IS NULL)::int, ($1 = 'revoked' AND $4 IS NOT NULL)::int
  UNION ALL
  SELECT date_bin('15 minutes', $3, 'epoch'), 0, 0, 1, 0, 0, 0 WHERE $1 IN ('claimed', 'revoking')
$$;
--> statement-breakpoint
-- Until the commit nobody writes assignments, so that each is counted once: here or by the trigger.
LOCK TABLE "assignments" IN SHARE ROW EXCLUSIVE MODE;
--> statement-breakpoint
CREATE TRIGGER "assignments_inserted" AFTER INSERT ON "assignments" REFERENCING NEW TABLE AS after
  FOR EACH STATEMENT EXECUTE FUNCTION "record_assignment_changes"();
--> statement-breakpoint
CREATE TRIGGER "assignments_updated" AFTER UPDATE ON "assignments" REFERENCING OLD TABLE AS before NEW TABLE AS after
  FOR EACH STATEMENT EXECUTE FUNCTION "record_assignment_changes"();
--> statement-breakpoint
CREATE TRIGGER "assignments_deleted" AFTER DELETE ON "assignments" REFERENCING OLD TABLE AS before
  FOR EACH STATEMENT EXECUTE FUNCTION "record_assignment_changes"();
--> statement-breakpoint
INSERT INTO "assignment_changes" ("promotion_id", "quarter", "assigned", "open", "claimed", "expired", "revoked", "reversed")
SELECT "promotion_id", "quarter", sum("assigned"), sum("open"), sum("claimed"), sum("expired"), sum("revoked"), sum("reversed")
FROM "assignments", LATERAL counts_of_assignment("status"::text, "assigned_at", "claimed_at", "transaction_id") GROUP BY 1, 2;
--> statement-breakpoint
-- Every row of the one is deleted soon after it was written, and those of the other are updated all the time.
ALTER TABLE "assignment_changes" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
--> statement-breakpoint
ALTER TABLE "promotion_statistics" SET (fillfactor = 50);
