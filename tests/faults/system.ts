/** The running system that faults are done to: a stack of its own, or the one under `npm test`. */
export interface System {
  /** nginx; what clients see */
  url: string;
  admin: { email: string; password: string };
  usersDatabaseUrl: string;
  promotionsDatabaseUrl: string;
  mongodbUrl: string;
  kafkaBrokers: string[];
  list(): Promise<SystemProcess[]>;
  /** Sends a signal to a process and all it started; what ends of it is started again by the supervisor. */
  signal(name: string, signal: NodeJS.Signals): Promise<void>;
  /** Ends a process in good order; it stays down. */
  stop(name: string): Promise<void>;
  /** Starts it and waits until it is ready. */
  start(name: string): Promise<void>;
}

export interface SystemProcess {
  name: string;
  role: string;
  health: string;
  /** Where a process of ours says at `/readyz` what it lacks. */
  internalPort: number | null;
}
