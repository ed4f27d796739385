/** `npm run verify:documents`: lints the OpenAPI documents and docs/asyncapi.yaml, without a server. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { openApiDocuments } from "../../functions/documents.ts";
import { lintAsyncApi, lintOpenApi } from "../documents.ts";
import { ROOT } from "../plan/layout.ts";

const reports = await Promise.all([
  lintOpenApi(await openApiDocuments()),
  lintAsyncApi(readFileSync(path.join(ROOT, "docs/asyncapi.yaml"), "utf8")),
]);
for (const report of reports.filter((text) => text !== "")) {
  console.error(report);
  process.exitCode = 1;
}
