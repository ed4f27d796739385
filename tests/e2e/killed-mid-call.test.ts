import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Account,
  api,
  assign,
  balanceOf,
  claim,
  createPromotion,
  registerPlayer,
  registerStaff,
} from "../support/api.ts";
import { killProcess } from "../support/control.ts";
import { servers } from "../support/servers.ts";
import { until } from "../support/until.ts";

let staff: Account;
let users: postgres.Sql;
beforeAll(async () => {
  users = postgres(servers.usersDatabaseUrl, { max: 2, onnotice: () => {} });
  staff = await registerStaff();
});
afterAll(() => users.end());

/** Which replicas of Users wait for a lock now, by the name that they give their connections. */
async function replicasThatWait(): Promise<string[]> {
  const rows = await users<{ name: string }[]>`
    select distinct application_name as name from pg_stat_activity
    where wait_event_type = 'Lock' and application_name like 'users-%'`;
  return rows.map(({ name }) => name);
}

test.each(["SIGKILL", "SIGSTOP"] as const)(
  "a replica of Users that gets %s in the midst of a credit: another one finishes it, and it is paid once",
  async (signal) => {
    const player = await registerPlayer();
    const promotion = await createPromotion(staff.token, { amountMinor: 900 });
    await assign(staff.token, promotion.id, [player.id]);
    let victim = "";
    const claimed = await users.begin(async (tx) => {
      await tx`select 1 from users where id = ${player.id} for update`;
      const answer = claim(player, promotion.id);
      answer.catch(() => {}); // it is awaited below, whatever happens before
      victim = await until("the credit is inside a replica", async () => (await replicasThatWait())[0]);
      await killProcess(victim, signal);
      await until("another replica has it", async () => (await replicasThatWait()).some((name) => name !== victim));
      return { answer }; // in an object, since the transaction would wait for it, and it waits for the transaction
    });
    expect(await claimed.answer).toMatchObject({ status: 201, body: { balanceMinor: 900 } });
    await killProcess(victim, "SIGCONT").catch(() => {}); // the killed one may not have been started again yet
    const { body } = await api("GET /users/api/v1/transactions", { token: player.token });
    expect(body.data).toHaveLength(1);
    expect(await balanceOf(player)).toBe(900);
  },
);
