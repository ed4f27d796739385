import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleAll } from "cockatiel";

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

/**
 * A circuit breaker against hangs: calls that nobody answers must not each wait for their deadline, and hold what
 * others need meanwhile. Only hangs count; a dependency that refuses is fast by itself, and it is there.
 *
 * @param dependency its name in log lines and metrics
 * @param isHang which errors mean that there was no answer in time; all others are answers
 * @returns runs a call; throws CircuitOpenError without running it while the circuit is open. After OPEN_MS one call is
 * the probe: its answer closes the circuit.
 */
export function createCircuitBreaker(
  dependency: string,
  isHang: (error: unknown) => boolean,
  onChange: OnCircuitChange = () => {},
): <T>(call: () => PromiseLike<T>) => Promise<T> {
  const policy = circuitBreaker(handleAll, { halfOpenAfter: OPEN_MS, breaker: new ConsecutiveBreaker(HANGS_MAX) });
  policy.onBreak(() => onChange(dependency, true));
  policy.onReset(() => onChange(dependency, false));

  return async <T>(call: () => PromiseLike<T>): Promise<T> => {
    // cockatiel has others wait for the probe's outcome, which is the very hang that this is against.
    if (policy.state === CircuitState.HalfOpen) throw new CircuitOpenError(dependency);
    let isCalled = false;
    const answer = await policy
      .execute(async () => {
        isCalled = true;
        try {
          return { value: await call() };
        } catch (error) {
          if (isHang(error)) throw error;
          return { error };
        }
      })
      .catch((error: unknown) => {
        throw isCalled ? error : new CircuitOpenError(dependency);
      });
    if ("error" in answer) throw answer.error;
    return answer.value;
  };
}
