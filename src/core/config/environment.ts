import type { Decoding } from './normalise.ts';
import { report } from './normalise.ts';
import { assign, resolveTokens, type Settings, type Token } from './settings.ts';
import type { Shape } from './shape.ts';

const PREFIX = 'TRAEFIK_';

/** Says where the file is, and is no setting. */
const COMMAND_VARIABLE = /^TRAEFIK_CONFIG(FILE)?$/i;

/**
 * Reads settings from environment variables as Traefik does: `TRAEFIK_ENTRYPOINTS_WEB_ADDRESS=:80`. Names in maps are
 * lower case. List items are `…_DOMAINS_0_MAIN` or `…_DOMAINS[0]_MAIN`.
 */
export function readEnvironment(
  state: Decoding,
  shape: Shape,
  env: Readonly<Record<string, string | undefined>>,
): Settings {
  const settings: Settings = { tree: {}, removed: [] };
  // Sorted: the result does not depend on the order in which variables were exported.
  for (const variable of Object.keys(env).sort()) {
    const value = env[variable];
    if (value === undefined || !variable.toUpperCase().startsWith(PREFIX) || COMMAND_VARIABLE.test(variable)) continue;
    const tokens: Token[] = variable
      .slice(PREFIX.length)
      .toLowerCase()
      .replace(/\[(\d{1,6})\]/g, '_$1')
      .split('_');
    const target = resolveTokens(shape, tokens, true);
    if ('path' in target) {
      assign(settings, target, value);
      continue;
    }
    // Kubernetes sets TRAEFIK_SERVICE_HOST and the like by itself: what names no section at all may be no setting.
    const [severity, what] =
      target.depth === 0 ? (['warning', 'is no setting, and is ignored'] as const) : (['error', 'is unknown'] as const);
    report(
      state,
      severity,
      'unknown-variable',
      [],
      `the environment variable ${variable} ${what}`,
      target.suggestion === undefined
        ? 'variables that begin with TRAEFIK_ are settings; rename or unset it'
        : `did you mean ${PREFIX}${target.suggestion.join('_').toUpperCase()}?`,
    );
  }
  return settings;
}
