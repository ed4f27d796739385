import { type DestinationStream, destination, pino } from "pino";

export type { Logger } from "pino";

/**
 * One JSON line per event on standard output. Nothing that identifies or authenticates a person belongs in it: no
 * token, secret, e-mail address or password; ids are fine. The redaction is a safety net, not a licence.
 *
 * @param options.name the process, such as "users"; `instance` tells replicas apart
 * @param stream where lines go instead
 */
export function createLogger(
  options: { name: string; instance: string; level: string },
  stream: DestinationStream = destination(1),
) {
  return pino(
    {
      level: options.level,
      base: { service: options.name, instance: options.instance, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError },
      redact: {
        paths: [
          "password",
          "email",
          "authorization",
          "cookie",
          "token",
          "accessToken",
          "refreshToken",
          "*.password",
          "*.email",
          "*.token",
        ],
        censor: "[redacted]",
      },
    },
    stream,
  );
}

/**
 * What failed is in the errors of clients, values included: drizzle puts those of a query into its error's message, postgres.js
 * has PostgreSQL's `detail` and `where`, ioredis the arguments of the command, the password of the greeting among them. Addresses,
 * hashes and secrets: no log may hold them.
 *
 * @returns the error as pino shows it, its causes included, without those values
 */
export function serializeError(error: Error): Record<string, unknown> {
  const { raw: _, ...shown }: Record<string, unknown> = pino.stdSerializers.err(error);
  for (const field of ["params", "parameters", "args", "detail", "where"]) delete shown[field];
  if (shown.command !== undefined) shown.command = (shown.command as { name?: string }).name;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (!("params" in cause)) continue;
    const values = `params: ${cause.params}`;
    for (const field of ["message", "stack"])
      shown[field] = String(shown[field]).replaceAll(values, "params: [redacted]");
  }
  return shown;
}
