import { Command } from 'commander';
import { VERSION } from '../version.ts';
import { withVerb } from './arguments.ts';
import { addCerts } from './certs.ts';
import { addCheck } from './check.ts';
import { addComplete } from './complete.ts';
import { addCompletion } from './completion.ts';
import { addDrain } from './drain.ts';
import { EXIT_HELP } from './exit-code.ts';
import { addExplain } from './explain.ts';
import { fail } from './fail.ts';
import { addInstallation } from './installation.ts';
import { addReload } from './reload.ts';
import { addRestartWorkers } from './restart-workers.ts';
import { addRoutes } from './routes.ts';
import { addRun } from './run.ts';
import { addStatus } from './status.ts';

/** Does what the command line says. @param args behind the command's name */
export async function main(args: readonly string[]): Promise<void> {
  const program = new Command('proxy')
    .description("An internal reverse proxy that reads Traefik's files.")
    .version(VERSION)
    // One line for what is wrong, from one place: `fail`.
    .configureOutput({ outputError: () => undefined })
    .exitOverride();

  addRun(program);
  addCheck(program);
  addInstallation(program);
  addReload(program);
  addStatus(program);
  addRoutes(program);
  addExplain(program);
  addRestartWorkers(program);
  addDrain(program);
  addCerts(program);
  addCompletion(program);
  addComplete(program);
  for (const verb of program.commands) verb.addHelpText('after', `\n${EXIT_HELP}`);

  try {
    const verbs = ['help', ...program.commands.map((command) => command.name())];
    await program.parseAsync([...withVerb(args, verbs)], { from: 'user' });
  } catch (error) {
    fail(error);
  }
}
