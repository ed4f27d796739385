import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: [
    "./drizzle/promotions/schema.ts",
    "./lib/outbox/schema.ts",
    "./lib/audit/schema.ts",
    "./lib/idempotency/schema.ts",
  ],
  out: "./drizzle/promotions/migrations",
});
