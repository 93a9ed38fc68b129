import { flushCompileCache } from 'node:module';
import { dirname, isAbsolute } from 'node:path';
import type { Command } from 'commander';
import type { LoadedStatic } from '../static-file.ts';
import { fail } from './fail.ts';

/** `proxy run`: serves until it is told to stop. */
export function addRun(program: Command): void {
  program
    .command('run')
    .description('serve; takes every static setting as a flag too, as Traefik does (--entryPoints.web.address=:80)')
    .option('--config <file>', 'the static file (alias --configFile); Traefik’s default places are searched without it')
    .option('--workers <n>', 'worker processes; one for each processor without it')
    // Settings are decoded by the schema, which knows more names than a parser of options.
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => run(process.argv.slice(process.argv[2] === 'run' ? 3 : 2)));
}

async function run(flags: readonly string[]): Promise<void> {
  // Loaded here: the other verbs are quicker without it.
  const [{ Primary }, { loadStatic }] = await Promise.all([import('../primary.ts'), import('../static-file.ts')]);
  const load = (): LoadedStatic => loadStatic(flags, process.env);
  // Both as the command was called, links and all: after an upgrade they lead workers to the new Node and the new code.
  if (isAbsolute(process.argv0)) process.execPath = process.argv0;
  const primary = new Primary({ loaded: load(), reread: load, directory: dirname(process.argv[1]!) });
  let stopping = false;
  const stop = (): void => {
    stopping = true;
    primary.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('exit', () => primary.abandon());
  // A reload asked for while it starts is done behind it: without a handler the signal would end the process.
  let started: Promise<void> = Promise.resolve();
  const whenStarted = (what: () => void): void => {
    // Where the start fails, what it ended with is said once, below.
    started.then(what, () => undefined);
  };
  process.on('SIGHUP', () => whenStarted(() => primary.reloadByItself()));
  process.on('SIGUSR1', () => whenStarted(() => primary.reopen()));
  process.on('SIGUSR2', () => whenStarted(() => primary.restartByItself()));
  started = primary.start();
  try {
    await started;
    flushCompileCache();
  } catch (error) {
    if (!stopping) throw error;
  }
}
