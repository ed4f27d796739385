import autocannon from "autocannon";

export interface Call {
  method: "GET" | "POST";
  path: string;
  token?: string;
  body?: unknown;
}

export interface LoadResult {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** How often each status was answered. */
  statuses: Record<string, number>;
  /** The part of one processor that generating the load took; near 1 the generator is what was measured. */
  generatorShare: number;
}

/** Above this share of a processor, the figure says as much of the generator as of what it asks. */
export const GENERATOR_SHARE_MAX = 0.9;

/**
 * Sends each call once, over so many connections that each wait for their answer, with autocannon.
 *
 * @throws Error when there was no answer to one of them
 */
export async function send(url: string, connections: number, calls: readonly Call[]): Promise<LoadResult> {
  const waiting = calls.values();
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  let endedAt = startedAt;
  const options: autocannon.Options = {
    url,
    connections,
    amount: calls.length,
    timeout: 30,
    requests: [
      {
        setupRequest: (request) => {
          const { method, path, token, body } = waiting.next().value as Call;
          return {
            ...request,
            method,
            path,
            headers: {
              ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
              ...(body === undefined ? {} : { "content-type": "application/json" }),
            },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          };
        },
      },
    ],
  };
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(options, (error, outcome) => (error ? reject(error) : resolve(outcome)));
    // It tells of its end only at the next full second.
    instance.on("response", () => {
      endedAt = performance.now();
    });
  });
  const tookMs = endedAt - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  if (result.errors > 0) throw new Error(`${result.errors} of ${calls.length} requests had no answer`);
  return {
    perSecond: (calls.length * 1_000) / tookMs,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    statuses: Object.fromEntries(
      Object.entries(result.statusCodeStats ?? {}).map(([code, { count = 0 }]) => [code, count]),
    ),
    generatorShare: (user + system) / 1_000 / tookMs,
  };
}
