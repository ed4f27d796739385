import { resetLostFactor } from "../../domain/users/second-factors/reset-lost-factor.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runJob } from "../../lib/process.ts";
import { awaitRedis, connectRedis } from "../../lib/redis.ts";
import { createLogger } from "../../lib/telemetry/log.ts";
import { config } from "./config.ts";

await runJob(config, async ({ DATABASE_URL, REDIS_URL, EMAIL }) => {
  const name = "reset-second-factor";
  const database = connectDatabase({ url: DATABASE_URL, name, connectionsMax: 1 });
  const redis = connectRedis(REDIS_URL, createLogger({ name, instance: "job", level: "silent" }));
  try {
    await awaitRedis(redis);
    const { userId, hadFactor } = await resetLostFactor({ db: database.db, redis }, { email: EMAIL });
    const what = hadFactor ? "has no second factor any more" : "had no second factor";
    return `account ${userId} ${what}, and all of its sessions have ended`;
  } finally {
    redis.disconnect();
    await database.close();
  }
});
