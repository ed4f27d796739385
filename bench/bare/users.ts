import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createServer } from "nice-grpc";
import postgres from "postgres";
import { BalanceServiceDefinition } from "../../proto/generated/casino/balance/v1/balance.ts";
import { verify } from "./verify.ts";

/** What Users can't leave out: a credit in one prepared statement, and a profile in another. */
const sql = postgres(process.env.USERS_DATABASE_URL ?? "", { max: 10 });

const grpc = createServer();
grpc.add(BalanceServiceDefinition, {
  async addTransaction({
    userId = "",
    amountMinor = 0,
    currency = "",
    description = "",
    reference = "",
    idempotencyKey = "",
  }) {
    const [row] = await sql`
      with player as (
        update users set balance_minor = balance_minor + ${amountMinor}::bigint
        where id = ${userId} and status = 'active' returning id, balance_minor
      )
      insert into transactions (user_id, type, amount_minor, balance_after_minor, currency, description, reference,
        idempotency_key, request_hash)
      select id, 'CREDIT', ${amountMinor}::bigint, balance_minor, ${currency}, ${description}, ${reference},
        ${idempotencyKey}, 'none' from player
      returning id, balance_after_minor`;
    return { transactionId: row?.id, balanceMinor: Number(row?.balance_after_minor) };
  },
  async voidTransaction() {
    throw new Error("no claim of a bench is given up");
  },
});

const app = new Hono();
app.get("/api/v1/users/me", async (c) => {
  const id = await verify(c.req.header("authorization"));
  const [user] =
    await sql`select id, email, role, status, balance_minor, currency, created_at from users where id = ${id}`;
  return c.json(user);
});

await grpc.listen(`127.0.0.1:${process.env.GRPC_PORT}`);
serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env.USERS_PORT) }, () => console.log("ready"));
