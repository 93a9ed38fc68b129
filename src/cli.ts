#!/usr/bin/env node
import { Command } from 'commander';
import { BindError } from './control/listening-sockets.ts';
import { formatDiagnostic } from './core/diagnostic.ts';
import { Primary } from './primary.ts';
import { loadStatic, StaticConfigError } from './static-file.ts';
import { VERSION } from './version.ts';

const OLDEST_NODE = 24;

const program = new Command('proxy')
  .description("An internal reverse proxy that reads Traefik's files.")
  .version(VERSION)
  .showHelpAfterError();

program
  .command('run', { isDefault: true })
  .description('serve; takes every static setting as a flag too, as Traefik does (--entryPoints.web.address=:80)')
  .option('--config <file>', 'the static file (alias --configFile); Traefik’s default places are searched without it')
  .option('--workers <n>', 'worker processes; one for each processor without it')
  .allowUnknownOption()
  .allowExcessArguments()
  .action(() => run(flagsOf('run')));

/** The command line behind the verb: settings are decoded by the schema, which knows more names than a parser of options. */
function flagsOf(verb: string): string[] {
  const args = process.argv.slice(2);
  return args[0] === verb ? args.slice(1) : args;
}

async function run(flags: readonly string[]): Promise<void> {
  const primary = new Primary(loadStatic(flags, process.env));
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
  process.on('exit', () => primary.discard());
  // A reload asked for while it starts is done behind it: without a handler the signal would end the process.
  let started: Promise<void> = Promise.resolve();
  process.on('SIGHUP', () => void started.then(() => primary.reload()).catch(fail));
  process.on('SIGUSR1', () => void started.then(() => primary.reopen()).catch(fail));
  started = primary.start();
  try {
    await started;
  } catch (error) {
    if (!stopping) throw error;
  }
}

/** One clear line, or the findings; never a stack trace for what an operator can mend. */
function fail(error: unknown): never {
  if (error instanceof StaticConfigError) {
    for (const diagnostic of error.diagnostics) console.error(formatDiagnostic(diagnostic));
    console.error(`proxy: ${error.message}`);
  } else if (error instanceof BindError) {
    console.error(`proxy: ${error.message}`);
  } else {
    console.error('proxy:', error instanceof Error ? (error.stack ?? error.message) : error);
  }
  process.exit(1);
}

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  console.error(
    `proxy: Node.js ${process.versions.node} is too old, ${OLDEST_NODE} is needed: run "npm ci" in the package's directory`,
  );
  process.exit(1);
}
program.parseAsync(flagsFirst(process.argv)).catch(fail);

/** A command line without a verb (`traefik --configfile=…`) means `run`. */
function flagsFirst(argv: readonly string[]): string[] {
  const [node, script, first] = argv;
  if (first?.startsWith('--') && !['--help', '--version'].includes(first)) {
    return [node!, script!, 'run', ...argv.slice(2)];
  }
  return [...argv];
}
