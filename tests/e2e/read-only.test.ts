import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Account,
  type ApiRequest,
  api,
  assign,
  balanceOf,
  claim,
  createPromotion,
  createWelcomeBonus,
  freshEmail,
  PASSWORD,
  promotionInput,
  registerPlayer,
  registerStaff,
  untilAssigned,
} from "../support/api.ts";
import { listProcesses, startProcess, stopProcess } from "../support/control.ts";
import { untilLogged } from "../support/log.ts";
import { servers } from "../support/servers.ts";
import { openSocket } from "../support/socket.ts";
import { until } from "../support/until.ts";

let admin: postgres.Sql;
let staff: Account;
beforeAll(async () => {
  admin = postgres(servers.postgresAdminUrl, { max: 1, onnotice: () => {} });
  staff = await registerStaff();
});
afterAll(async () => {
  await setReadOnly(false);
  await admin.end();
});

/** As a failover to a standby does, or an operator who saves a disk that fills up. */
async function setReadOnly(isReadOnly: boolean): Promise<void> {
  await admin.unsafe(
    isReadOnly
      ? "alter system set default_transaction_read_only = on"
      : "alter system reset default_transaction_read_only",
  );
  await admin`select pg_reload_conf()`;
  await until("the setting holds", async () => {
    const other = postgres(servers.postgresAdminUrl, { max: 1, onnotice: () => {} });
    const [row] = await other<{ is: string }[]>`select current_setting('transaction_read_only') as is`;
    await other.end();
    return row?.is === (isReadOnly ? "on" : "off");
  });
}

test("PostgreSQL read-only: writes answer 503, reads go on, workers wait and lose nothing; writable again, all flows", async () => {
  const bonus = await createWelcomeBonus(staff.token);
  const promotion = await createPromotion(staff.token, { amountMinor: 400 });
  const player = await registerPlayer();
  await assign(staff.token, promotion.id, [player.id]);
  const stopped = (await listProcesses()).map(({ name }) => name).filter((name) => name.startsWith("welcome-bonus"));
  await Promise.all(stopped.map(stopProcess));
  const fresh = await registerPlayer(); // whose event waits in Kafka
  const own = { token: player.token };
  const house = { token: staff.token };
  const writes: [string, ApiRequest][] = [
    ["POST /users/api/v1/auth/register", { json: { email: freshEmail(), password: PASSWORD } }],
    [`PATCH /users/api/v1/users/${player.id}/status`, { ...house, json: { status: "suspended", reason: "r" } }],
    ["POST /promotions/api/v1/promotions", { ...house, json: promotionInput() }],
    [`PATCH /promotions/api/v1/promotions/${promotion.id}`, { ...house, json: { status: "paused" } }],
    [`POST /promotions/api/v1/promotions/${bonus.id}/assign`, { ...house, json: { playerIds: [player.id] } }],
    // What staff look at is told in the audit, or not shown.
    ["GET /users/api/v1/users", house],
    ["POST /promotions/api/v1/promotions/claim", { ...own, json: { promotionId: promotion.id } }],
  ];
  const reads: [string, ApiRequest][] = [
    ["GET /users/api/v1/users/me", own],
    ["GET /users/api/v1/transactions", own],
    ["GET /promotions/api/v1/promotions", house],
    [`GET /promotions/api/v1/promotions/players/${player.id}`, own],
  ];
  const since = new Date();
  const starts: Promise<unknown>[] = [];
  await setReadOnly(true);
  try {
    for (const request of writes) {
      const answer = await api(...request);
      expect(answer, request[0]).toMatchObject({ status: 503, body: { code: "database_unavailable" } });
      expect(answer.headers.get("retry-after")).toBe("2");
    }
    for (const request of reads) expect(await api(...request), request[0]).toMatchObject({ status: 200 });
    // Not ready before they can write, if one of them has been given the event by then.
    starts.push(...stopped.map(startProcess));
    await Promise.any(stopped.map((name) => untilLogged(name, "dependency unavailable; waiting", since)));
  } finally {
    await setReadOnly(false);
  }
  await Promise.all(starts);
  await until("the bonus is assigned", () => untilAssigned(fresh, bonus.id), { timeoutMs: 30_000 });
  const socket = await openSocket(fresh.token);
  await until("and pushed", () => socket.notifications().length === 1, { timeoutMs: 30_000 });
  socket.close();
  expect(await claim(player, promotion.id)).toMatchObject({ status: 201, body: { balanceMinor: 400 } });
  expect(await balanceOf(player)).toBe(400);
});
