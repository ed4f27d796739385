import { expect, test } from "vitest";
import { continueTrace } from "./trace.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

test("a caller's trace goes on with a parent id of our own", () => {
  const { traceId, traceparent } = continueTrace(`00-${TRACE_ID}-00f067aa0ba902b7-01`);
  expect(traceId).toBe(TRACE_ID);
  expect(traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`));
  expect(traceparent).not.toContain("00f067aa0ba902b7");
});

test.each([
  undefined,
  "",
  "garbage",
  `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
  `00-${TRACE_ID}-${"0".repeat(16)}-01`,
])("without a usable traceparent a new trace starts: %s", (incoming) => {
  const { traceId, traceparent } = continueTrace(incoming);
  expect(traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(traceId).not.toBe(TRACE_ID);
  expect(traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
});
