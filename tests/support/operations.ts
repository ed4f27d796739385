import { newId } from "../../lib/ids.ts";
import { type ApiResponse, api } from "./api.ts";
import { servers } from "./servers.ts";
import { until } from "./until.ts";

export interface Operation {
  service: string;
  operationId: string;
  method: string;
  path: string;
  /** of query and headers, by name */
  parameters: string[];
}

interface Document {
  paths: Record<string, Record<string, { operationId: string; parameters?: { name: string }[] }>>;
}

/** @returns every operation of a service's OpenAPI document */
export async function operationsOf(service: string): Promise<Operation[]> {
  const document = await until(`${service} answers`, async () => {
    const answer = await fetch(`${servers.url}/${service}/openapi.json`);
    return answer.ok && ((await answer.json()) as Document);
  });
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, parameters = [] }]) => ({
      service,
      operationId,
      method: method.toUpperCase(),
      path,
      parameters: parameters.map(({ name }) => name.toLowerCase()),
    })),
  );
}

/** Sends what nobody could take for a request that is meant: unknown ids, and a body that no operation wants. */
export const askNonsense = ({ service, method, path }: Operation, token: string | undefined): Promise<ApiResponse> =>
  api(`${method} /${service}${path.replace(/\{[^}]+\}/g, newId())}`, {
    token,
    ...(method === "GET" || method === "DELETE" ? {} : { json: { nonsense: true } }),
  });
