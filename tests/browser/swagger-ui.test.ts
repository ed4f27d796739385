import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type BrowserContext, chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import { promotionInput, registerStaff } from "../support/api.ts";
import { servers } from "../support/servers.ts";

/** Debian's. */
const CHROMIUM = "/usr/bin/chromium";

let browser: BrowserContext;
beforeAll(async () => {
  browser = await chromium.launchPersistentContext(mkdtempSync(path.join(tmpdir(), "chromium-")), {
    executablePath: CHROMIUM,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});
afterAll(() => browser?.close());

test("staff use the Promotions Swagger UI: authorize, create a promotion, see it listed", async () => {
  const staff = await registerStaff();
  const title = `From the browser ${newId()}`;
  const page = await browser.newPage();
  const failures: string[] = [];
  page.on("requestfailed", (request) => failures.push(request.url()));
  page.on("pageerror", (error) => failures.push(error.message));
  await page.goto(`${servers.url}/promotions/api-docs`);

  await page.getByRole("button", { name: "Authorize" }).first().click();
  await page.locator(".modal-ux input").fill(staff.token);
  await page.locator(".modal-ux").getByRole("button", { name: "Apply credentials" }).click();
  await page.locator(".modal-ux").getByRole("button", { name: "Close" }).click();

  const create = page.locator(".opblock").filter({ hasText: "Create a promotion" });
  await create.locator(".opblock-summary-control").click();
  await create.locator("textarea.body-param__text").fill(JSON.stringify(promotionInput({ title })));
  await create.getByRole("button", { name: "Execute" }).click();
  await create.locator(".live-responses-table .response-col_status").filter({ hasText: "201" }).waitFor();

  const list = page.locator(".opblock").filter({ hasText: "List promotions, newest first" });
  await list.locator(".opblock-summary-control").click();
  await list.getByRole("button", { name: "Execute" }).click();
  const answer = list.locator(".live-responses-table");
  await answer.locator(".response-col_status").filter({ hasText: "200" }).waitFor();
  expect(await answer.textContent()).toContain(title);
  expect(failures).toEqual([]);
});

test.each(["users", "promotions", "notifications"])(
  "the Swagger UI of %s loads without the internet",
  async (service) => {
    const page = await browser.newPage();
    const foreign: string[] = [];
    page.on("request", (request) => {
      if (!request.url().startsWith(servers.url) && !request.url().startsWith("data:")) foreign.push(request.url());
    });
    await page.goto(`${servers.url}/${service}/api-docs`);
    await page.locator(".opblock").first().waitFor();
    expect(foreign).toEqual([]);
  },
);
