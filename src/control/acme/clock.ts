import type { Clock } from './types.ts';

/** Longer waits are cut into pieces of this size: the wall clock may be set, and a machine may sleep. */
const LONGEST_MS = 60_000;

/** The system's time. A wait ends when the wall clock says so, to within a minute of what it jumps by. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, call) {
    const due = Date.now() + ms;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const left = due - Date.now();
      timer = setTimeout(() => (due - Date.now() > 0 ? arm() : call()), Math.min(Math.max(left, 0), LONGEST_MS));
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  },
};

/** Waits, unless the signal comes first. @throws the signal's reason */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
