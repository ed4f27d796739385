import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import {
  type Account,
  api,
  assign,
  claim,
  createPromotion,
  promotionInput,
  registerPlayer,
  registerStaff,
} from "../support/api.ts";
import { servers } from "../support/servers.ts";
import { until } from "../support/until.ts";

/** Debian's. */
const CHROMIUM = "/usr/bin/chromium";

let browser: BrowserContext;
/** What the pages did that their own policy forbids. */
const violations: string[] = [];
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

async function openDocs(service: string): Promise<Page> {
  const page = await browser.newPage();
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) violations.push(message.text());
  });
  await page.goto(`${servers.url}/${service}/api-docs`);
  await page.locator(".opblock").first().waitFor();
  return page;
}

async function authorize(page: Page, token: string): Promise<void> {
  await page.getByRole("button", { name: "Authorize" }).first().click();
  const dialog = page.locator(".modal-ux");
  const logOut = dialog.getByRole("button", { name: "Remove authorization" });
  await dialog.locator("input").or(logOut).waitFor();
  if (await logOut.isVisible()) await logOut.click();
  await dialog.locator("input").fill(token);
  await dialog.getByRole("button", { name: "Apply credentials" }).click();
  await dialog.getByRole("button", { name: "Close" }).click();
}

test("staff use the Promotions Swagger UI: authorize, create a promotion, see it listed", async () => {
  const staff = await registerStaff();
  const title = `From the browser ${newId()}`;
  const page = await openDocs("promotions");
  const failures: string[] = [];
  page.on("requestfailed", (request) => failures.push(request.url()));
  page.on("pageerror", (error) => failures.push(error.message));
  await authorize(page, staff.token);

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

interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  parameters?: { in: string; name: string; schema: { default?: unknown } }[];
  responses: object;
}

interface OpenApiDocument {
  paths: Record<string, Record<string, Operation>>;
}

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests assert on what they read
  body: any;
}

/**
 * Executes every operation of a service as Swagger UI prefills it: what is for staff as an admin, then the rest as a
 * player. Fails if one is refused for its form or its role, or sends a query that isn't the default.
 *
 * @returns the answers by operation id
 */
async function executeAll(service: string, { admin, player }: Record<"admin" | "player", Account>) {
  const response = await fetch(`${servers.url}/${service}/openapi.json`);
  const document = (await response.json()) as OpenApiDocument;
  const operations = operationsOf(service, document);
  const answers = new Map<string, Answer>();
  // Without the examples of answers: drawing them is most of the work.
  const json = structuredClone(document);
  for (const { responses } of Object.values(json.paths).flatMap((methods) => Object.values(methods))) {
    for (const status of Object.keys(responses)) Object.assign(responses, { [status]: { description: status } });
  }
  await browser.route("**/openapi.json", (route) => route.fulfill({ json }));
  const page = await openDocs(service);
  await browser.unroute("**/openapi.json");
  // Its token is not good any more after that.
  operations.sort(
    (a, b) => Number(a.operationId === "logOutEverywhere") - Number(b.operationId === "logOutEverywhere"),
  );
  const isForStaff = ({ tags, summary }: Operation) => /\((staff|admin)\)/.test(`${tags} ${summary}`);
  for (const { token, chosen } of [
    { token: admin.token, chosen: operations.filter(isForStaff) },
    { token: player.token, chosen: operations.filter((operation) => !isForStaff(operation)) },
  ]) {
    await authorize(page, token);
    for (const operation of chosen) answers.set(operation.operationId, await execute(page, operation));
  }
  expect(await page.locator(".opblock").count()).toBe(answers.size);
  await page.close();
  return answers;
}

function operationsOf(service: string, { paths }: OpenApiDocument) {
  return Object.entries(paths).flatMap(([template, methods]) => {
    const pathname = new RegExp(`^/${service}${template.replace(/\{[^}]+\}/g, "[^/]+")}$`);
    return Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      pathname,
    }));
  });
}

async function execute(page: Page, operation: ReturnType<typeof operationsOf>[number]): Promise<Answer> {
  const { operationId, method, pathname, parameters = [] } = operation;
  const block = page.locator(`.opblock[id$="-${operationId}"]`);
  const isIt = (url: string) => pathname.test(new URL(url).pathname);
  // Events instead of clicks, and each block closed again: to scroll and to redraw all of them takes seconds each time.
  const expandOrCollapse = () => block.locator(".opblock-summary-control").dispatchEvent("click");
  await expandOrCollapse();
  // The button is there before what it sends.
  await block.locator(".opblock-section").first().waitFor();
  const [response] = await Promise.all([
    page.waitForResponse((candidate) => candidate.request().method() === method && isIt(candidate.url())),
    block.getByRole("button", { name: "Execute" }).dispatchEvent("click"),
  ]);
  await expandOrCollapse();
  const defaults = parameters
    .filter(({ in: place, schema }) => place === "query" && schema.default !== undefined)
    .map(({ name, schema }) => [name, String(schema.default)]);
  expect([...new URL(response.url()).searchParams], `the query of ${operationId}`).toEqual(defaults);
  const [status, text] = [response.status(), await response.text()];
  // A link that is prefilled is one of no mail.
  const wanted = text.includes('"link_invalid"') ? [400] : [200, 201, 202, 204, 401, 403, 404, 409];
  expect(wanted, `${operationId}: ${text}`).toContain(status);
  expect(text, operationId).not.toContain("role_not_allowed");
  const isJson = response.headers()["content-type"]?.includes("json");
  return { status, body: text === "" ? undefined : isJson ? JSON.parse(text) : text };
}

test("what Users prefills works as it is: somebody registers, logs in, refreshes, logs out; all is listed", async () => {
  const [admin, player] = [await registerStaff("admin"), await registerPlayer()];
  const promotion = await createPromotion(admin.token);
  await assign(admin.token, promotion.id, [player.id]);
  const { transactionId } = (await claim(player, promotion.id)).body;
  const answers = await executeAll("users", { admin, player });
  // The address is the same at every run, and taken from the second on.
  expect([201, 409]).toContain(answers.get("registerPlayer")?.status);
  expect(["logIn", "refreshSession", "logOut"].map((id) => answers.get(id)?.status)).toEqual([200, 200, 204]);
  expect(idsIn(answers.get("searchUsers"))).toContain(player.id);
  expect(answers.get("exportLedger")?.body).toContain(transactionId);
  expect(idsIn(answers.get("listOwnTransactions"))).toEqual([transactionId]);
});

test("what Promotions prefills works as it is: staff create a promotion whose window is open, and see it listed", async () => {
  const accounts = { admin: await registerStaff("admin"), player: await registerPlayer() };
  const answers = await executeAll("promotions", accounts);
  const created = answers.get("createPromotion");
  expect(created).toMatchObject({ status: 201, body: { status: "active" } });
  expect(Date.parse(created?.body.startsAt)).toBeLessThanOrEqual(Date.now());
  expect(Date.parse(created?.body.endsAt)).toBeGreaterThan(Date.now() + 86_400_000);
  expect(idsIn(answers.get("listPromotions"))).toContain(created?.body.id);
});

test("what Notifications prefills works as it is: players see what they were told", async () => {
  const [admin, player] = [await registerStaff("admin"), await registerPlayer()];
  const promotion = await createPromotion(admin.token);
  await assign(admin.token, promotion.id, [player.id]);
  const list = () => api("GET /notifications/api/v1/notifications", { token: player.token });
  const isIt = ({ content }: { content: { promotionId: string } }) => content.promotionId === promotion.id;
  const told = await until("the player is told", async () => (await list()).body.data.find(isIt));
  const answers = await executeAll("notifications", { admin, player });
  // Beside a welcome bonus, if there happens to be one.
  expect(idsIn(answers.get("listNotifications"))).toContain(told.id);
});

test("the pages do nothing that their policy forbids, which a script of somebody else's would be, and forget the token", async () => {
  expect(violations).toEqual([]);
  const page = await openDocs("users");
  await authorize(page, (await registerPlayer()).token);
  expect(await page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")).toBe("{}");
  await page.evaluate(`{
    const script = document.createElement("script");
    script.textContent = "window.stolen = true";
    document.body.append(script);
  }`);
  await until("the script is refused", () => violations.length > 0);
  expect(await page.evaluate("window.stolen")).toBeUndefined();
  await page.close();
});

const idsIn = (answer: Answer | undefined) => answer?.body.data.map(({ id }: { id: string }) => id);
