import { resetLostFactor } from "../../domain/users/second-factors/reset-lost-factor.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runJob } from "../../lib/process.ts";
import { connectReplicatedRedis } from "../../lib/redis-replicated.ts";
import { createLogger } from "../../lib/telemetry/log.ts";
import { config } from "./config.ts";

await runJob(config, async ({ DATABASE_URL, REDIS_URL, EMAIL }) => {
  const name = "reset-second-factor";
  const database = connectDatabase({ url: DATABASE_URL, name, connectionsMax: 1 });
  const log = createLogger({ name, instance: "job", level: "silent" });
  const replicatedRedis = await connectReplicatedRedis(REDIS_URL, log);
  try {
    const { userId, hadFactor } = await resetLostFactor({ db: database.db, replicatedRedis }, { email: EMAIL });
    const what = hadFactor ? "has no second factor any more" : "had no second factor";
    return `account ${userId} ${what}, and all of its sessions have ended`;
  } finally {
    replicatedRedis.disconnect();
    await database.close();
  }
});
