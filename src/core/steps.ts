/**
 * Work in steps: something that takes long yields wherever it can be interrupted, and returns its result at the end. Others get
 * their turn between two steps.
 */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Does all of it at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Does it a little in each turn of the event loop, for so many milliseconds. Rejects with what a step throws.
 *
 * @param sliceMs a turn's work is over when so much time has passed
 */
export function inSlices<T>(steps: Steps<T>, sliceMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      const until = performance.now() + sliceMs;
      try {
        do {
          const step = steps.next();
          if (step.done === true) {
            resolve(step.value);
            return;
          }
        } while (performance.now() < until);
      } catch (error) {
        reject(error as Error);
        return;
      }
      setImmediate(turn);
    };
    turn();
  });
}
