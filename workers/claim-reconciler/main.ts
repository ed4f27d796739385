import { CLAIM_BACKLOG_GAUGES, readClaimBacklog } from "../../domain/promotions/claims/read-claim-backlog.ts";
import { connectBalanceService } from "../../lib/grpc/client.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runProcess } from "../../lib/process.ts";
import { addReadGauges } from "../../lib/telemetry/metrics.ts";
import { runClaimReconciler } from "./claim-reconciler.ts";
import { config as schema } from "./config.ts";

await runProcess("claim-reconciler", schema, async ({ config, log, metrics, health, onStop, onCircuitChange }) => {
  const database = connectDatabase({
    url: config.DATABASE_URL,
    name: config.INSTANCE,
    onCircuitChange,
    connectionsMax: 2,
  });
  onStop("database", database.close);
  const balance = connectBalanceService(config.USERS_GRPC_TARGET, config.SERVICE_TOKEN, onCircuitChange);
  onStop("balance client", balance.close);
  health.addCheck("postgres", database.check);
  addReadGauges(metrics, CLAIM_BACKLOG_GAUGES, () => readClaimBacklog(database));

  const reconciler = runClaimReconciler(
    { db: database.db, currency: config.CURRENCY, balance: balance.client, log },
    {
      staleAfterMs: config.STALE_AFTER_MS,
      intervalMs: config.INTERVAL_MS,
      onOutcome: (outcome, count) => metrics.claimsReconciledTotal.inc({ outcome }, count),
    },
  );
  onStop("reconciler", reconciler.stop);
  health.addLoop("reconciler", reconciler.checkLoop);
});
