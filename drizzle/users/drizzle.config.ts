import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: ["./drizzle/users/schema.ts", "./lib/outbox/schema.ts", "./lib/audit/schema.ts"],
  out: "./drizzle/users/migrations",
});
