import type { Decoding } from './normalise.ts';
import { report } from './normalise.ts';
import { formatPath } from './paths.ts';
import { assign, resolveTokens, type Settings, type Token } from './settings.ts';
import type { Shape } from './shape.ts';
import { suggest } from './suggest.ts';

/** Flags of the command itself: they say where the file is, and are no settings. */
const COMMAND_FLAGS = new Map([
  ['config', 'config'],
  ['configfile', 'configFile'],
]);

/**
 * Reads settings from command-line flags as Traefik does: `--entryPoints.web.address=:80`, the same with the value as
 * the next argument, bare `--api` for what can be switched on, `[0]` for list items, lists separated by commas.
 */
export function readFlags(state: Decoding, shape: Shape, flags: readonly string[]): Settings {
  const settings: Settings = { tree: {}, removed: [] };
  for (let index = 0; index < flags.length; index++) {
    const flag = flags[index]!;
    if (flag === '--') break;
    const parts = /^--?([^=-][^=]*)(?:=([\s\S]*))?$/.exec(flag);
    if (parts === null) {
      report(
        state,
        'error',
        'bad-flag',
        [],
        `\`${flag}\` is not a flag`,
        'write --name=value, for example --entryPoints.web.address=:80',
      );
      continue;
    }
    const name = parts[1]!;
    let value = parts[2];
    const isCommand = COMMAND_FLAGS.has(name.toLowerCase());
    const target = isCommand ? undefined : resolveTokens(shape, tokensOf(name), false);
    const known = target !== undefined && 'path' in target;
    if (value === undefined) {
      const kind = known ? target.shape.kind : undefined;
      const next = flags[index + 1];
      if (kind === 'boolean' || kind === 'object' || kind === 'record') value = 'true';
      else if (next !== undefined && (known || isCommand || !next.startsWith('-'))) {
        value = next;
        index++;
      }
    }
    if (isCommand) {
      if (value === undefined || value === '')
        report(state, 'error', 'bad-flag', [], `the flag \`--${name}\` needs a file`, `write --${name}=FILE`);
      continue;
    }
    if (!known) {
      const command = suggest(name, COMMAND_FLAGS.values());
      const meant = target?.suggestion === undefined ? command : formatPath(target.suggestion);
      report(
        state,
        'error',
        'unknown-flag',
        [],
        `unknown flag \`--${name}\``,
        meant === undefined ? undefined : `did you mean \`--${meant}\`?`,
      );
    } else if (value === undefined) {
      report(state, 'error', 'bad-flag', target.path, `the flag \`--${name}\` needs a value`, `write --${name}=VALUE`);
    } else assign(settings, target, value);
  }
  return settings;
}

/** `a.domains[0].main` → a, domains, 0, main. */
function tokensOf(name: string): Token[] {
  return name.split('.').flatMap((part): Token[] => {
    const indexed = /^(.*?)((?:\[\d{1,6}\])+)$/.exec(part);
    if (indexed === null) return [part];
    const indices = [...indexed[2]!.matchAll(/\d+/g)].map(([digits]) => Number(digits));
    return indexed[1] === '' ? indices : [indexed[1]!, ...indices];
  });
}
