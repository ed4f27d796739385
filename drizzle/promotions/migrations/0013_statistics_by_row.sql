-- A trigger of each statement costs a claim two of them, of which the first, assigned to claiming, changes no count. One of each row
-- is not even called for it, and costs a batch of the expirer some microseconds per row more.
CREATE FUNCTION "record_assignment_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO assignment_changes (promotion_id, quarter, assigned, open, claimed, expired, revoked, reversed)
  SELECT promotion_id, quarter, sum(n * assigned), sum(n * open), sum(n * claimed), sum(n * expired), sum(n * revoked),
    sum(n * reversed)
  FROM (VALUES (-1, OLD.promotion_id, OLD.status, OLD.assigned_at, OLD.claimed_at, OLD.transaction_id),
      (1, NEW.promotion_id, NEW.status, NEW.assigned_at, NEW.claimed_at, NEW.transaction_id)
    ) AS versions (n, promotion_id, status, assigned_at, claimed_at, transaction_id),
    LATERAL counts_of_assignment(status::text, assigned_at, claimed_at, transaction_id)
  GROUP BY 1, 2
  HAVING (sum(n * assigned), sum(n * open), sum(n * claimed), sum(n * expired), sum(n * revoked), sum(n * reversed))
    <> (0, 0, 0, 0, 0, 0);
  RETURN NULL;
END
$$;
--> statement-breakpoint
-- Nobody writes between the two: a trigger's table is locked until the commit.
DROP TRIGGER "assignments_updated" ON "assignments";
--> statement-breakpoint
CREATE TRIGGER "assignments_updated" AFTER UPDATE ON "assignments" FOR EACH ROW
  WHEN (
    OLD.status <> NEW.status AND NOT (OLD.status IN ('assigned', 'claiming') AND NEW.status IN ('assigned', 'claiming'))
    OR OLD.promotion_id <> NEW.promotion_id
    OR (OLD.assigned_at, OLD.claimed_at, OLD.transaction_id) IS DISTINCT FROM (NEW.assigned_at, NEW.claimed_at, NEW.transaction_id)
  )
  EXECUTE FUNCTION "record_assignment_change"();
