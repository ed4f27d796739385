import { runJob } from "../../lib/process.ts";
import { config } from "./config.ts";
import { createSecrets } from "./secrets.ts";

await runJob(config, async () => {
  const folder = process.argv[2];
  if (folder === undefined) throw new Error("Usage: create-secrets <folder>");
  const written = await createSecrets(folder);
  return written.length === 0 ? `${folder}: all secrets exist` : `${folder}: wrote ${written.join(", ")}`;
});
