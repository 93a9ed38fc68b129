/**
 * Makes a task that may be asked for at any time: each call is followed by a whole run, and calls that come while one runs
 * share the next.
 */
export function coalesced(task: () => Promise<void>): () => Promise<void> {
  let running: Promise<unknown> = Promise.resolve();
  let queued: Promise<void> | null = null;
  return () => {
    queued ??= running
      .catch(() => undefined) // Whoever asked for that run was told.
      .then(() => {
        queued = null;
        const run = task();
        running = run;
        return run;
      });
    return queued;
  };
}
