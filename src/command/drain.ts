import type { Command } from 'commander';
import { callProxy } from './client.ts';
import { EXIT } from './exit-code.ts';
import { type RemoteOptions, remote } from './options.ts';

/** `proxy drain SERVICE URL` and `proxy undrain SERVICE URL`. */
export function addDrain(program: Command): void {
  add(program, 'drain', 'send nothing new to a server; what is under way and sticky clients go on. Ends with undrain');
  add(program, 'undrain', 'let a server that was drained take part again');
}

function add(program: Command, verb: 'drain' | 'undrain', description: string): void {
  remote(
    program
      .command(verb)
      .description(description)
      .argument('<service>', 'name, or name@provider')
      .argument('<url>', 'the server as it is configured'),
  ).action(async (service: string, url: string, options: RemoteOptions) => {
    const { ok, data } = await callProxy(options, verb, { service, url });
    if (options.json) console.log(JSON.stringify(data));
    else if (ok) console.log(`${url} of ${service} ${verb === 'drain' ? 'gets nothing new' : 'takes part again'}`);
    else console.error(`proxy: ${data.message}`);
    process.exitCode = ok ? EXIT.fine : EXIT.refused;
  });
}
