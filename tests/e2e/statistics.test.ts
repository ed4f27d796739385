import { beforeAll, expect, test } from "vitest";
import { newId } from "../../lib/ids.ts";
import { type Account, api, assign, claim, createPromotion, registerPlayer, registerStaff } from "../support/api.ts";
import { servers } from "../support/servers.ts";

let staff: Account;
let players: Account[];
beforeAll(async () => {
  staff = await registerStaff();
  players = await Promise.all([registerPlayer(), registerPlayer(), registerPlayer()]);
});

const CSV = { accept: "text/csv" };
const today = () => new Date().toISOString().slice(0, 10);

/** A promotion that three players have, and one has claimed. */
async function offer(overrides: Record<string, unknown> = {}): Promise<{ id: string; title: string }> {
  const promotion = await createPromotion(staff.token, overrides);
  await assign(
    staff.token,
    promotion.id,
    players.map(({ id }) => id),
  );
  expect((await claim(players[0] as Account, promotion.id)).status).toBe(201);
  return promotion;
}

const FIGURES = {
  assigned: 3,
  open: 2,
  claimed: 1,
  expired: 0,
  revoked: 0,
  claimRate: 0.3333,
  paidMinor: 2000,
  openMinor: 2000,
  capUsed: 0.5,
  reversedMinor: 0,
};

test("staff see a promotion's figures a moment after each claim, in all and by days, as JSON and as CSV", async () => {
  const before = today();
  const { id } = await offer({ maxClaims: 2 });
  const get = (headers = {}, query = "") =>
    api(`GET /promotions/api/v1/promotions/${id}/statistics${query}`, { token: staff.token, headers });
  const { status, body } = await get();
  expect([status, body]).toMatchObject([200, FIGURES]);
  expect(Math.abs(Date.parse(body.asOf) - Date.now())).toBeLessThan(10_000);
  // Around midnight it may be two.
  if (before === today()) {
    expect(body.perDay).toEqual([{ day: today(), assigned: 3, claimed: 1, paidMinor: 2000 }]);
    expect((await get({}, `?to=${today()}`)).body).toMatchObject({ ...FIGURES, perDay: [] });
  }
  const csv = await get(CSV);
  expect(csv.headers.get("content-type")).toContain("text/csv");
  const lines = csv.body.trimEnd().split("\r\n");
  expect(lines[0]).toBe(
    "day,currency,assigned,open,claimed,expired,revoked,claimRate,paidMinor,openMinor,capUsed,reversedMinor,asOf",
  );
  expect(lines[1]).toMatch(/^\d{4}-\d\d-\d\d,EUR,3,,1,,,,2000,,,,[-0-9]+T[.:0-9]+Z$/);
  expect(lines.at(-1)).toMatch(/^total,EUR,3,2,1,0,0,0.3333,2000,2000,0.5,0,[-0-9]+T[.:0-9]+Z$/);
});

test("the list of promotions is the report, as CSV too, page by page, and a title is no formula in it", async () => {
  const word = newId();
  const promotion = await offer({ title: `=cmd|'/C calc'!A0 ${word}`, maxClaims: 2 });
  await createPromotion(staff.token, { title: `Another, "quoted" ${word}` });
  const list = (headers = {}, query = "") =>
    api(`GET /promotions/api/v1/promotions${query || `?q=${word}&limit=1`}`, { token: staff.token, headers });
  const first = await list();
  const second = await list({}, `?q=${word}&limit=1&cursor=${first.body.nextCursor}`);
  expect(first.body.data[0].statistics).toMatchObject({ assigned: 0, claimRate: 0, capUsed: null });
  expect(second.body.data).toMatchObject([{ id: promotion.id, statistics: FIGURES }]);
  expect(second.body.data[0].statistics).not.toHaveProperty("perDay");

  const csv = await list(CSV);
  const [header, line] = csv.body.trimEnd().split("\r\n");
  expect(header).toBe(
    "id,title,type,status,startsAt,endsAt,amountMinor,currency,maxClaims,budgetMinor," +
      "assigned,open,claimed,expired,revoked,claimRate,paidMinor,openMinor,capUsed,reversedMinor,asOf",
  );
  expect(line).toContain(`,"Another, ""quoted"" ${word}",BONUS,active,`);
  const next = /^<(\?[^>]+)>; rel="next"$/.exec(csv.headers.get("link") ?? "")?.[1];
  const last = await list(CSV, next);
  expect(last.body).toContain(`,'=cmd|'/C calc'!A0 ${word},BONUS,`);
  expect(last.headers.get("link")).toBeNull();
});

test("a bound that is none is refused, and of a promotion that doesn't exist there are no figures", async () => {
  const { id } = await createPromotion(staff.token);
  for (const query of ["from=yesterday", "to=2026-02-30", "day=2026-01-01"]) {
    const path = `/promotions/api/v1/promotions/${id}/statistics?${query}`;
    expect((await api(`GET ${path}`, { token: staff.token })).status, query).toBe(400);
  }
  const unknown = await api(`GET /promotions/api/v1/promotions/${newId()}/statistics`, { token: staff.token });
  expect(unknown).toMatchObject({ status: 404, body: { code: "promotion_not_found" } });
});

test("the ledger comes through nginx whole, with what was just claimed", async () => {
  const { id } = await offer();
  const admin = await registerStaff("admin");
  const response = await fetch(`${servers.url}/users/api/v1/ledger?from=${today()}`, {
    headers: { authorization: `Bearer ${admin.token}` },
  });
  expect(response.status).toBe(200);
  const lines = (await response.text()).split("\r\n").filter((line) => line.includes(`promotion:${id}`));
  expect(lines).toEqual([expect.stringContaining(`,${players[0]?.id},CREDIT,2000,EUR,`)]);
});
