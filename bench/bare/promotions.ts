import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createChannel, createClient } from "nice-grpc";
import postgres from "postgres";
import { BalanceServiceDefinition, TransactionType } from "../../proto/generated/casino/balance/v1/balance.ts";
import { verify } from "./verify.ts";

/** What a claim can't leave out: mark it, credit it, mark it done; each in a prepared statement that commits. */
const sql = postgres(process.env.PROMOTIONS_DATABASE_URL ?? "", { max: 10 });
const balance = createClient(BalanceServiceDefinition, createChannel(`127.0.0.1:${process.env.GRPC_PORT}`));

const app = new Hono();
app.post("/api/v1/promotions/claim", async (c) => {
  const playerId = await verify(c.req.header("authorization"));
  const { promotionId } = await c.req.json<{ promotionId: string }>();
  const [claim] = await sql`
    update assignments set status = 'claiming', claiming_at = now(), attempted_at = now(), claim_key = assignments.id::text
    from promotions
    where player_id = ${playerId} and promotion_id = ${promotionId} and promotions.id = promotion_id
      and assignments.status = 'assigned' and promotions.status = 'active'
      and starts_at <= now() and ends_at > now()
    returning assignments.id, amount_minor, currency`;
  if (claim === undefined) return c.json({ code: "promotion_not_active" }, 409);
  const { transactionId, balanceMinor } = await balance.addTransaction({
    idempotencyKey: claim.id,
    userId: playerId,
    type: TransactionType.TRANSACTION_TYPE_CREDIT,
    amountMinor: Number(claim.amount_minor),
    currency: claim.currency,
    description: "Promotion claimed",
    reference: `promotion:${promotionId}`,
  });
  await sql`
    update assignments set status = 'claimed', claimed_at = now(), transaction_id = ${transactionId},
      balance_minor = ${balanceMinor}
    where id = ${claim.id}`;
  return c.json({ promotionId, status: "claimed", transactionId, balanceMinor }, 201);
});
app.get("/api/v1/promotions/players/:id", async (c) => {
  const playerId = await verify(c.req.header("authorization"));
  const data = await sql`
    select assignments.id, assignments.status, assigned_at, claimed_at, promotion_id, title, description, type,
      promotions.status as promotion_status, amount_minor, currency, starts_at, ends_at
    from assignments join promotions on promotions.id = promotion_id
    where player_id = ${playerId} order by assignments.id desc limit 21`;
  return c.json({ data });
});

serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env.PROMOTIONS_PORT) }, () =>
  console.log("ready"),
);
