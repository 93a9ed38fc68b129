import { suggest } from '../core/config/suggest.ts';
import { EXIT } from './exit-code.ts';
import { CommandError } from './fail.ts';

/** Options of the program itself; any other option without a verb is a setting of `run`. */
const OWN = new Set(['--help', '-h', '--version', '-V']);

/**
 * Puts the verb in where there is none: a command line of flags alone (`traefik --configfile=…`) means `run`.
 *
 * @param args behind the command's name
 * @throws CommandError where the first word is no verb
 */
export function withVerb(args: readonly string[], verbs: readonly string[]): readonly string[] {
  const [first] = args;
  if (first === undefined) return ['run'];
  if (OWN.has(first) || verbs.includes(first)) return args;
  if (first.startsWith('-')) return ['run', ...args];
  const near = suggest(first, verbs);
  const hint = near === undefined ? `verbs: ${verbs.join(', ')}` : `did you mean \`${near}\`?`;
  throw new CommandError(EXIT.usage, `there is no verb \`${first}\` (${hint})`);
}
