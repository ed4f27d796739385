import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { MongoClient } from "mongodb";
import { verify } from "./verify.ts";

/** What a list of notifications can't leave out: one `find`. */
const mongo = await MongoClient.connect(process.env.MONGODB_URL ?? "");
const notifications = mongo.db().collection("notifications");

const app = new Hono();
app.get("/api/v1/notifications", async (c) => {
  const playerId = await verify(c.req.header("authorization"));
  return c.json({ data: await notifications.find({ playerId }).sort({ seq: -1 }).limit(21).toArray() });
});

serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env.NOTIFICATIONS_PORT) }, () =>
  console.log("ready"),
);
