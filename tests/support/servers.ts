import { inject } from "vitest";

/** Addresses of the real servers that the global setup started for this test run. */
export interface TestServers {
  /** nginx; what a client sees. */
  url: string;
  admin: { email: string; password: string };
  stackDir: string;
  postgresAdminUrl: string;
  usersDatabaseUrl: string;
  promotionsDatabaseUrl: string;
  redisUrl: string;
  mongodbUrl: string;
  kafkaBrokers: string[];
  usersGrpcTarget: string;
  serviceToken: string;
  /** Loopback port where tests ask the stack to stop, start and kill its processes (tests/support/control.ts). */
  controlUrl: string;
}

declare module "vitest" {
  interface ProvidedContext {
    servers: TestServers;
  }
}

export const servers: TestServers = inject("servers");
