import { findInstance, type InstanceOptions } from './instances.ts';
import { type Reply, send } from './send.ts';

/** A reload waits for its workers, a rolling restart for what is under way. */
const TIMEOUT_MS = 600_000;

/**
 * Sends a command to the running proxy that the options name, or to the only one there is.
 *
 * @throws CommandError where none runs (3), several do (2), or it cannot be reached (1)
 */
export async function callProxy(options: InstanceOptions, verb: string, args: object = {}): Promise<Reply> {
  return send(await findInstance(options), verb, args, TIMEOUT_MS);
}
