/** Hangs in a row, without an answer in between, after which a dependency counts as gone. */
const HANGS_MAX = 5;
/** Milliseconds without a call before one is let through as a probe; also what callers are told in Retry-After. */
const OPEN_MS = 2_000;

/** Told of each change: `isOpen` while calls fail at once. */
export type OnCircuitChange = (dependency: string, isOpen: boolean) => void;

/** The call was not made: the last ones to this dependency had no answer. */
export class CircuitOpenError extends Error {
  override name = "CircuitOpenError";
  readonly code = "CIRCUIT_OPEN";
  constructor(dependency: string) {
    super(`${dependency} does not answer; not asked again so soon`);
  }
}

/** Replaced by another when it opens and when it closes, so that a call can tell whether it did since the call began. */
type Circuit = { isOpen: false; hangs: number } | { isOpen: true; isProbed: boolean; probeAt: number };

/**
 * A circuit breaker against hangs: calls that nobody answers must not each wait for their deadline, and hold what
 * others need meanwhile. Only hangs count; a dependency that refuses is fast by itself, and it is there.
 *
 * @param dependency its name in log lines and metrics
 * @param isHang which errors mean that there was no answer in time; all others are answers
 * @param openMs how long an open circuit lets no call through; then one is the probe
 * @returns runs a call; throws CircuitOpenError without running it while the circuit is open. Whatever was answered has
 * left it closed, be it the probe or a call that began before: who sees an answer may count on the next one.
 */
export function createCircuitBreaker(
  dependency: string,
  isHang: (error: unknown) => boolean,
  onChange: OnCircuitChange = () => {},
  openMs = OPEN_MS,
): <T>(call: () => PromiseLike<T>) => Promise<T> {
  let circuit: Circuit = { isOpen: false, hangs: 0 };

  const answered = () => {
    if (!circuit.isOpen) {
      circuit.hangs = 0;
      return;
    }
    circuit = { isOpen: false, hangs: 0 };
    onChange(dependency, false);
  };
  const hung = (begunIn: Circuit) => {
    // Asked before what is known now: says nothing of it, and must not undo what another call found out.
    if (circuit !== begunIn) return;
    if (circuit.isOpen) {
      circuit.isProbed = false;
      circuit.probeAt = performance.now() + openMs;
      return;
    }
    circuit.hangs += 1;
    if (circuit.hangs < HANGS_MAX) return;
    circuit = { isOpen: true, isProbed: false, probeAt: performance.now() + openMs };
    onChange(dependency, true);
  };

  return async (call) => {
    const begunIn = circuit;
    if (begunIn.isOpen) {
      if (begunIn.isProbed || performance.now() < begunIn.probeAt) throw new CircuitOpenError(dependency);
      begunIn.isProbed = true;
    }
    try {
      const value = await call();
      answered();
      return value;
    } catch (error) {
      if (isHang(error)) hung(begunIn);
      else answered();
      throw error;
    }
  };
}
