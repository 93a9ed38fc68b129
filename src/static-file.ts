import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type DecodedStatic, decodeStatic } from './core/config/load-static.ts';
import type { Path } from './core/config/paths.ts';
import type { StaticConfig } from './core/config/static.ts';
import type { Diagnostic, Position } from './core/diagnostic.ts';
import { StaticConfigError } from './core/static-config-error.ts';

/** The static configuration, from wherever it came. */
export interface LoadedStatic {
  /** Absent: flags and environment alone. */
  readonly file?: string;
  readonly config: StaticConfig;
  readonly diagnostics: readonly Diagnostic[];
  /** Where a path stands in the file. */
  readonly locate: (path: Path, at?: 'key' | 'value') => Position | undefined;
}

/** Traefik's places, ours first. */
export function defaultPaths(env: NodeJS.ProcessEnv): string[] {
  const bases = ['/etc/traefik', env.XDG_CONFIG_HOME ?? '', join(homedir(), '.config'), '.'].filter(
    (base) => base !== '',
  );
  return [
    '/etc/phoenix-proxy/proxy.yml',
    ...bases.flatMap((base) => ['yml', 'yaml', 'toml'].map((ext) => join(base, `traefik.${ext}`))),
  ];
}

/** The static configuration as it was found, with all that is wrong with it. */
export interface FoundStatic {
  /** Absent: flags and environment alone. */
  readonly file?: string;
  readonly text?: string;
  readonly decoded: DecodedStatic;
}

/**
 * Finds and decodes the static configuration, whatever is wrong with it.
 * @param flags the command line behind the verb; `--config` and `--configFile` (any case) name the file
 * @throws StaticConfigError where the file cannot be read
 */
export function findStatic(flags: readonly string[], env: NodeJS.ProcessEnv): FoundStatic {
  const named = configFlag(flags) ?? env.TRAEFIK_CONFIGFILE ?? env.TRAEFIK_CONFIG;
  const file = named ?? defaultPaths(env).find((path) => existsSync(path));
  if (file === undefined) return { decoded: decodeStatic({ flags, env }) };
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new StaticConfigError(`the configuration file ${resolve(file)} cannot be read: ${whyUnreadable(error)}`, []);
  }
  return { file, text, decoded: decodeStatic({ file: { name: file, text }, flags, env }) };
}

/**
 * As `findStatic`, for who starts on it.
 * @throws StaticConfigError where the file cannot be read or has errors
 */
export function loadStatic(flags: readonly string[], env: NodeJS.ProcessEnv): LoadedStatic {
  const found = findStatic(flags, env);
  const { file, decoded } = found;
  if (decoded.config === null || decoded.diagnostics.some((d) => d.severity === 'error')) {
    throw new StaticConfigError('the static configuration has errors: nothing was started', decoded.diagnostics);
  }
  return {
    ...(file === undefined ? {} : { file }),
    config: decoded.config,
    diagnostics: decoded.diagnostics,
    locate: locateIn(found),
  };
}

/** Where the paths of a static configuration stand in its file. */
export function locateIn({ file, decoded }: FoundStatic): LoadedStatic['locate'] {
  return (path, at) => {
    const place = decoded.positions(path, at);
    return place === undefined || file === undefined ? undefined : { file, ...place };
  };
}

/** Why a file cannot be read, and what to do. */
export function whyUnreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return 'it does not exist';
    case 'EISDIR':
      return 'it is a directory: name the file in it';
    case 'EACCES':
    case 'EPERM':
      return `permission denied to uid ${process.getuid?.()}, gid ${process.getgid?.()}: make it readable with chmod or chown`;
    default:
      return message;
  }
}

function configFlag(flags: readonly string[]): string | undefined {
  for (const [i, flag] of flags.entries()) {
    const match = /^--?config(?:file)?(?:=(.*))?$/is.exec(flag);
    // One without a value is reported with the other flags.
    if (match !== null) return match[1] === '' ? undefined : (match[1] ?? flags[i + 1]);
  }
  return undefined;
}
