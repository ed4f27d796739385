import { expect, test } from "vitest";
import { createGate, Refused } from "./gate.ts";
import { DeadLetterLimit } from "./limit.ts";

/** A gate that lets two die in a row, and up to offset `passUpTo` whatever an operator lets pass. */
function createTestGate() {
  const state = { passUpTo: 0 };
  const gate = createGate(3, new DeadLetterLimit({ runMax: 2, deadMax: 100, windowMessages: 1_000 }), {
    isOpen: async (partition, offset) => partition === 3 && Number(offset) < state.passUpTo,
  });
  const bury = async (offset: number) => {
    await gate.pass(String(offset), "a defect");
    gate.count(true);
  };
  return { state, gate, bury };
}

test("beyond the limit a message is refused with its place and its reason, as often as it comes", async () => {
  const { gate, bury } = createTestGate();
  await bury(0);
  await bury(1);
  for (let tries = 0; tries < 3; tries++) {
    expect(gate.refusals).toBe(tries);
    await expect(bury(2)).rejects.toMatchObject({ name: "Refused", offset: "2", reason: "a defect" });
  }
});

test("what an operator lets pass may die beyond it, and nothing behind that", async () => {
  const { state, gate, bury } = createTestGate();
  await bury(0);
  await bury(1);
  state.passUpTo = 5;
  for (const offset of [2, 3, 4]) await bury(offset);
  expect(gate.refusals).toBe(0);
  await expect(bury(5)).rejects.toBeInstanceOf(Refused);
});

test("when what was refused is handled after all, the limit begins anew", async () => {
  const { gate, bury } = createTestGate();
  await bury(0);
  await bury(1);
  await expect(bury(2)).rejects.toBeInstanceOf(Refused);
  gate.count(false);
  await bury(3);
  await bury(4);
  await expect(bury(5)).rejects.toBeInstanceOf(Refused);
});
