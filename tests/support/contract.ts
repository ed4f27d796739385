import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { servers } from "./servers.ts";
import { until } from "./until.ts";

export type Service = "users" | "promotions" | "notifications";

interface OpenApiDocument {
  paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, unknown> }> }>>;
}

interface Contract {
  document: OpenApiDocument;
  ajv: Ajv2020;
  routes: { pattern: RegExp; template: string }[];
  validators: Map<string, ValidateFunction>;
}

const contracts = new Map<Service, Promise<Contract>>();

/** Checks that a response, of whatever status, is one that the service's OpenAPI document describes. */
export async function expectToFitContract(
  service: Service,
  request: { method: string; path: string },
  response: { status: number; contentType: string | null; body: unknown },
): Promise<void> {
  let contract = contracts.get(service);
  if (contract === undefined) {
    contract = loadContract(service);
    contracts.set(service, contract);
  }
  const { document, ajv, routes, validators } = await contract;
  const template = routes.find(({ pattern }) => pattern.test(request.path))?.template;
  const operation = template === undefined ? undefined : document.paths[template]?.[request.method.toLowerCase()];
  if (template === undefined || operation === undefined) {
    if (response.status === 404) return; // no such route: nothing to document
    throw new Error(`${request.method} /${service}${request.path} answered ${response.status} and is undocumented`);
  }
  const where = `${request.method} /${service}${template} ${response.status}`;
  const documented = operation.responses[String(response.status)];
  if (documented === undefined) throw new Error(`${where} is not in the OpenAPI document: ${print(response.body)}`);
  if (documented.content === undefined) {
    if (response.body !== undefined) throw new Error(`${where} has an undocumented body: ${print(response.body)}`);
    return;
  }
  const contentType = (response.contentType ?? "").split(";")[0]?.trim() ?? "";
  if (!(contentType in documented.content)) throw new Error(`${where} has the undocumented type ${contentType}`);
  const pointer = ["paths", template, request.method.toLowerCase(), "responses", String(response.status)]
    .concat("content", contentType, "schema")
    .map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")))
    .join("/");
  let validate = validators.get(pointer);
  if (validate === undefined) {
    validate = ajv.compile({ $ref: `${service}#/${pointer}` });
    validators.set(pointer, validate);
  }
  if (!validate(response.body)) {
    throw new Error(`${where} does not fit: ${ajv.errorsText(validate.errors)} in ${print(response.body)}`);
  }
}

async function loadContract(service: Service): Promise<Contract> {
  // A test before may just have had the service replaced.
  const document = await until(`${service} answers with its document`, async () => {
    const answer = await fetch(`${servers.url}/${service}/openapi.json`);
    return answer.ok && ((await answer.json()) as OpenApiDocument);
  });
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(closeObjects(document) as object, service);
  const routes = Object.keys(document.paths)
    .map((template) => ({ template, pattern: new RegExp(`^${template.replace(/\{[^}]+\}/g, "[^/]+")}$`) }))
    // Fixed segments win over parameters.
    .sort((a, b) => a.template.split("{").length - b.template.split("{").length);
  return { document, ajv, routes, validators: new Map() };
}

/** Makes every object schema refuse fields that it does not name, so that a leaked field fails too. */
function closeObjects(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closeObjects);
  if (node === null || typeof node !== "object") return node;
  const copy: Record<string, unknown> = Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, closeObjects(value)]),
  );
  if (copy.type === "object" && "properties" in copy && !("additionalProperties" in copy)) {
    copy.additionalProperties = false;
  }
  return copy;
}

const print = (body: unknown) => JSON.stringify(body)?.slice(0, 500);
