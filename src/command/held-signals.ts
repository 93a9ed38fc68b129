/** What an operator may send to a running proxy at any time. */
const SIGNALS = ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

/**
 * From the first moment on, a signal that asks a proxy for something must not end it: without a handler it would. Until
 * `run` has its own there is nothing to do for it, since no file has been read yet.
 *
 * @param args behind the command's name; flags alone mean `run`
 */
export function holdSignals(args: readonly string[]): void {
  const [verb = 'run'] = args;
  if (verb === 'run' || verb.startsWith('-')) for (const signal of SIGNALS) process.on(signal, () => undefined);
}
