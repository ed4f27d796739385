import { runJob } from "../../lib/process.ts";
import { checkInvariants } from "./check-invariants.ts";
import { config as schema } from "./config.ts";
import { formatReports } from "./format-reports.ts";

/** Not 1, which says that something is not exact. */
const EXIT_CODE_NOT_CHECKED = 2;

await runJob(
  schema,
  async (config) => {
    const connections = {
      usersDatabaseUrl: config.USERS_DATABASE_URL,
      promotionsDatabaseUrl: config.PROMOTIONS_DATABASE_URL,
      mongodbUrl: config.MONGODB_URL,
      kafkaBrokers: config.KAFKA_BROKERS,
    };
    const reports = await checkInvariants(connections, {
      lagBoundMs: config.LAG_BOUND_SECONDS * 1_000,
      claimingBoundMs: config.CLAIMING_BOUND_SECONDS * 1_000,
    });
    const isExact = reports.every(({ violations }) => violations === 0);
    return { output: formatReports(reports), exitCode: isExact ? 0 : 1 };
  },
  EXIT_CODE_NOT_CHECKED,
);
