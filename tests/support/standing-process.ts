/** A process whose only loop turns once and then stands still. Started by lib/health.test.ts. */
import { z } from "zod";
import { baseConfig } from "../../lib/config.ts";
import { runProcess } from "../../lib/process.ts";
import { Pulse } from "../../lib/pulse.ts";

await runProcess("standing", z.object(baseConfig), async ({ health }) => {
  const pulse = new Pulse({ silenceMaxMs: 100 });
  pulse.turn();
  health.addLoop("relay", () => pulse.check());
});
