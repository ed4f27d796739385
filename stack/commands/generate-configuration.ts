/** `npm run generate:configuration`: writes docs/configuration.md. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describeConfiguration } from "../configuration.ts";
import { ROOT } from "../plan/layout.ts";

writeFileSync(path.join(ROOT, "docs/configuration.md"), await describeConfiguration());
