import { reconcileClaims } from "../../domain/promotions/reconcile-claims.ts";
import { pause } from "../../lib/backoff.ts";
import { connectBalanceService } from "../../lib/grpc/client.ts";
import { connectDatabase } from "../../lib/postgres.ts";
import { runProcess } from "../../lib/process.ts";
import { config as schema } from "./config.ts";

/** Claims finished side by side; each takes one call to Users. */
const BATCH_MAX = 20;

await runProcess("claim-reconciler", schema, async ({ config, log, health, onStop, onCircuitChange }) => {
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

  const stopping = new AbortController();
  const ctx = { db: database.db, currency: config.CURRENCY, balance: balance.client, log };
  const finished = (async () => {
    while (!stopping.signal.aborted) {
      try {
        const outcome = await reconcileClaims(ctx, { staleAfterMs: config.STALE_AFTER_MS, batchMax: BATCH_MAX });
        if (outcome.taken > 0) log.info(outcome, "reconciled");
        if (outcome.finished === BATCH_MAX) continue; // there may be more, and Users answers
      } catch (error) {
        log.warn({ err: error }, "reconcile failed; trying again");
      }
      await pause(config.INTERVAL_MS, stopping.signal);
    }
  })();
  onStop("reconciler", async () => {
    stopping.abort();
    await finished;
  });
});
