#!/usr/bin/env node
import { Command } from 'commander';
import { withVerb } from './command/arguments.ts';
import { addCerts } from './command/certs.ts';
import { addCheck } from './command/check.ts';
import { addComplete } from './command/complete.ts';
import { addCompletion } from './command/completion.ts';
import { addDrain } from './command/drain.ts';
import { EXIT_HELP } from './command/exit-code.ts';
import { addExplain } from './command/explain.ts';
import { fail } from './command/fail.ts';
import { addInstallation } from './command/installation.ts';
import { addReload } from './command/reload.ts';
import { addRestartWorkers } from './command/restart-workers.ts';
import { addRoutes } from './command/routes.ts';
import { addRun } from './command/run.ts';
import { addStatus } from './command/status.ts';
import { VERSION } from './version.ts';

const OLDEST_NODE = 24;

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  console.error(
    `proxy: Node.js ${process.versions.node} is too old, ${OLDEST_NODE} is needed: run "npm ci" in the package's directory`,
  );
  process.exit(1);
}

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
  await program.parseAsync([...withVerb(process.argv.slice(2), verbs)], { from: 'user' });
} catch (error) {
  fail(error);
}
