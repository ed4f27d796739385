import { afterEach, describe, expect, test, vi } from "vitest";
import { openApiDocuments } from "./documents.ts";

afterEach(() => vi.useRealTimers());

interface Schema {
  $ref?: string;
  example?: unknown;
  examples?: unknown;
}
interface Operation {
  operationId: string;
  parameters?: { name: string; required?: boolean; example?: unknown; examples?: unknown; schema: Schema }[];
  security?: unknown[];
  responses: Record<string, { description: string }>;
  requestBody?: { content: { "application/json": { schema: Schema } } };
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

const documents = (await openApiDocuments()) as Record<string, Document>;
const operationsOf = ({ paths }: Document) => Object.values(paths).flatMap((methods) => Object.values(methods));

describe.each(Object.entries(documents))("%s", (service, document) => {
  test("no optional parameter has an example, which Swagger UI would fill in and send as a filter", () => {
    for (const { operationId, parameters = [] } of operationsOf(document)) {
      for (const { name, required, example, examples, schema } of parameters) {
        const prefilled = [example, examples, schema.example, schema.examples].filter((value) => value !== undefined);
        expect(prefilled.length, `${operationId}: ${name}`).toBe(required === true ? 1 : 0);
      }
    }
  });

  test("whatever needs a token says that restricted sessions are refused", () => {
    for (const { operationId, security = [], responses } of operationsOf(document)) {
      const isSaid = responses["403"]?.description.includes("`session_restricted`") ?? false;
      expect([operationId, isSaid]).toEqual([operationId, security.length > 0]);
    }
  });

  test("every body has one example of the whole, which Swagger UI sends as it is", () => {
    for (const { operationId, requestBody } of operationsOf(document)) {
      if (requestBody === undefined) continue;
      const { schema } = requestBody.content["application/json"];
      const resolved =
        schema.$ref === undefined ? schema : document.components.schemas[schema.$ref.split("/").at(-1) ?? ""];
      expect(resolved?.example, operationId).toBeDefined();
    }
  });

  test.each(["2026-12-31", "2028-02-29", "2029-03-25", "2035-06-01"])(
    "made on %s, it shows days near it",
    async (day) => {
      vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(`${day}T23:59:59.999Z`) });
      const text = JSON.stringify((await openApiDocuments())[service]);
      const days = text.match(/\d{4}-\d{2}-\d{2}(?=[T"])/g) ?? [];
      const distances = days.map((shown) => Math.abs(Date.parse(shown) - Date.parse(day)) / 86_400_000);
      expect(days).toContain(day);
      expect(Math.max(...distances)).toBeLessThanOrEqual(30);
      expect(text).not.toMatch(/\{(day|currency)/);
    },
  );
});

test("a promotion created as prefilled is on from the day of the document, and in the deployment's currency", async () => {
  const now = Date.parse("2028-02-29T00:00:00Z");
  vi.useFakeTimers({ toFake: ["Date"], now });
  const { promotions } = (await openApiDocuments("SEK")) as Record<string, Document>;
  expect(promotions?.components.schemas.CreatePromotion?.example).toMatchObject({
    startsAt: "2028-02-29T00:00:00Z",
    endsAt: "2028-03-30T00:00:00Z",
    currency: "SEK",
    status: "active",
  });
});
