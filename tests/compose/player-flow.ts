import { expect } from "vitest";
import {
  type Account,
  api,
  balanceOf,
  claim,
  createWelcomeBonus,
  registerPlayer,
  registerStaff,
  untilAssigned,
} from "../support/api.ts";
import { openSocket } from "../support/socket.ts";
import { until } from "../support/until.ts";

export interface House {
  staff: Account;
  bonusId: string;
}

const AMOUNT_MINOR = 2000;

/** Staff, and a welcome bonus that is active. */
export async function openHouse(): Promise<House> {
  const staff = await registerStaff();
  const { id } = await createWelcomeBonus(staff.token, { amountMinor: AMOUNT_MINOR });
  return { staff, bonusId: id };
}

/**
 * A new player registers, is given the bonus, hears of it at once, and claims it twice; the money comes once. It passes
 * every function, the gateway, every worker but the reconciler, and every server.
 */
export async function playThrough({ bonusId }: House): Promise<Account> {
  const player = await until("a player can register and log in", registerPlayer, { timeoutMs: 60_000 });
  const socket = await until("a socket is open", () => openSocket(player.token), { timeoutMs: 30_000 });
  await until("the bonus is assigned", () => untilAssigned(player, bonusId), { timeoutMs: 60_000 });
  await until("the bonus is pushed", () => socket.notifications().length === 1, { timeoutMs: 60_000 });
  socket.close();
  await until("the bonus is claimed", async () => [200, 201].includes((await claim(player, bonusId)).status), {
    timeoutMs: 60_000,
  });
  expect((await claim(player, bonusId)).status).toBe(200);
  expect(await balanceOf(player)).toBe(AMOUNT_MINOR);
  const { body } = await api("GET /users/api/v1/transactions", { token: player.token });
  expect(body.data).toHaveLength(1);
  return player;
}
