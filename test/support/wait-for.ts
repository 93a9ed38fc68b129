import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Milliseconds until the wait fails. Generous: a busy machine must not fail a test. */
  readonly timeoutMs?: number;
  /** Milliseconds between two looks. */
  readonly intervalMs?: number;
  /** Added to the failure: what is there instead (read only when the wait fails). */
  readonly describe?: () => string;
}

/**
 * Polls a condition until it is neither false nor undefined, and returns its value. An exception inside the condition
 * counts as "not yet"; the last one is the cause of the failure.
 *
 * @param what completes the sentence "timed out waiting for …"
 * @throws Error when the time is over
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, false | undefined | null>> {
  const { timeoutMs = 30_000, intervalMs = 10, describe } = options;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await condition();
      cause = undefined;
      if (value !== false && value !== undefined && value !== null) {
        return value as Exclude<T, false | undefined | null>;
      }
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) break;
    await sleep(intervalMs);
  }
  const seen = describe === undefined ? '' : `; there is: ${describe()}`;
  throw new Error(`timed out after ${timeoutMs} ms waiting for ${what}${seen}`, { cause });
}
