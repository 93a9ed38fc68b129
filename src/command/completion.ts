import { Argument, type Command } from 'commander';
import { type CompletedVerb, completionScript, type ValueKind } from './completion-bash.ts';
import { print } from './print.ts';

/** What stands behind options and in the place of arguments; everything else is left to the user. */
const KINDS: Readonly<Record<string, ValueKind>> = {
  '--config': 'file',
  '--socket': 'file',
  '--out': 'file',
  '--entrypoint': 'entrypoints',
  '--method': 'methods',
  path: 'file',
  url: 'urls',
  name: 'hosts',
  service: 'services',
  shell: 'shells',
};

/** `proxy completion bash`: prints a script for the shell to read. */
export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('print completion for the shell: source <(proxy completion bash)')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash']))
    .action(() => print(completionScript([...verbsOf(program)])));
}

function* verbsOf(command: Command, above: readonly string[] = []): Iterable<CompletedVerb> {
  // Hidden ones are for scripts alone; `help` is said by the parser itself.
  for (const child of command.createHelp().visibleCommands(command)) {
    const path = [...above, child.name()];
    if (child.name() === 'help') continue;
    yield {
      path,
      options: [...child.options, { long: '--help', required: false, optional: false }].flatMap((option) => {
        const { long, required, optional } = option;
        if (long === undefined || long === null) return [];
        return [{ name: long, value: required || optional ? (KINDS[long] ?? 'any') : null }];
      }),
      // The URL of `drain` is a server's, not a client's.
      args: child.registeredArguments.map((argument, i) =>
        i > 0 && argument.name() === 'url' ? 'servers' : (KINDS[argument.name()] ?? 'any'),
      ),
      variadic: child.registeredArguments.at(-1)?.variadic === true,
    };
    yield* verbsOf(child, path);
  }
}
