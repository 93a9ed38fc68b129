import type { Command } from 'commander';
import type { InstanceOptions } from './instances.ts';

/** The options of every verb that speaks to a running proxy. */
export interface RemoteOptions extends InstanceOptions {
  readonly json?: boolean;
}

/** Adds them. */
export function remote(command: Command): Command {
  return command
    .option('--config <file>', 'the static file of the proxy that is meant, where several run')
    .option('--socket <path>', 'its control socket, instead')
    .option('--json', 'print data for programs');
}
