/** Where the Sentinels are, what they call the primary, and the password that they and the servers have. */
export interface SentinelTarget {
  sentinels: { host: string; port: number }[];
  name: string;
  password: string | undefined;
}

/** Not for `URL`, which knows one host only. */
const SENTINEL_URL =
  /^redis\+sentinel:\/\/(?::(?<password>[^@]+)@)?(?<hosts>[^:,/@\s]+:\d+(?:,[^:,/@\s]+:\d+)*)\/(?<name>[\w.-]+)$/;

/**
 * @param url `redis+sentinel://:password@host:port,host:port/primary-name`, the password percent-encoded
 * @returns its parts, or undefined when it has another form
 */
export function parseSentinelUrl(url: string): SentinelTarget | undefined {
  const { hosts, name, password } = SENTINEL_URL.exec(url)?.groups ?? {};
  if (hosts === undefined || name === undefined) return undefined;
  const sentinels = hosts.split(",").map((address) => {
    const [host = "", port] = address.split(":");
    return { host, port: Number(port) };
  });
  return { sentinels, name, password: password === undefined ? undefined : decodeURIComponent(password) };
}
