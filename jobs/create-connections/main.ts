import { runJob } from "../../lib/process.ts";
import { config } from "./config.ts";
import { createConnections } from "./connections.ts";

await runJob(config, async ({ PASSWORDS, ADMIN_PASSWORD, ...templates }) => {
  const folder = process.argv[2];
  if (folder === undefined) throw new Error("Usage: create-connections <folder>");
  const passwords = PASSWORDS.split(",").filter(Boolean);
  const written = await createConnections(folder, { templates, passwords, adminPassword: ADMIN_PASSWORD });
  return `${folder}: wrote ${written.join(", ")}`;
});
