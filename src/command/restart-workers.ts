import { type Command, InvalidArgumentError } from 'commander';
import type { RestartResult } from '../control/supervisor.ts';
import { parseDuration } from '../core/config/duration.ts';
import { callProxy } from './client.ts';
import { EXIT } from './exit-code.ts';
import { type RemoteOptions, remote } from './options.ts';

/** `proxy restart-workers`: a new worker serves before an old one drains. */
export function addRestartWorkers(program: Command): void {
  remote(
    program
      .command('restart-workers')
      .description(
        'replace worker after worker (as SIGUSR2 does) with the code that lies on disk; no connection is refused',
      )
      .option('--grace <duration>', 'how long old workers may finish what is under way (1h)', duration),
  ).action(async (options: RemoteOptions & { readonly grace?: number }) => {
    const { ok, data } = await callProxy(options, 'restart-workers', { graceMs: options.grace });
    if (options.json) console.log(JSON.stringify(data));
    else if (ok) console.log(`${(data as unknown as RestartResult).replaced} workers were replaced`);
    else console.error(`proxy: ${data.message} (${data.replaced ?? 0} workers were replaced)`);
    process.exitCode = ok ? EXIT.fine : EXIT.refused;
  });
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (typeof ms !== 'number') throw new InvalidArgumentError(`${text} is no duration; write 30s or 5m`);
  return ms;
}
