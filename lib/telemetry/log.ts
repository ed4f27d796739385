import { pino } from "pino";

export type { Logger } from "pino";

/**
 * One JSON line per event on standard output. Nothing that identifies or authenticates a person belongs in it: no
 * token, secret, e-mail address or password; ids are fine. The redaction is a safety net, not a licence.
 *
 * @param options.name the process, such as "users"; `instance` tells replicas apart
 */
export function createLogger(options: { name: string; instance: string; level: string }) {
  return pino({
    level: options.level,
    base: { service: options.name, instance: options.instance, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
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
  });
}
