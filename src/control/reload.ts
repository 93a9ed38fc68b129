import type { Diagnostic } from '../core/diagnostic.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { type Changes, diffSnapshots } from './build/diff.ts';

/** What a reload came to, as `proxy reload --json` prints it. */
export interface ReloadVerdict {
  /** Every file could be read without an error, and every worker serves it. */
  readonly ok: boolean;
  /** What is live now. */
  readonly version: number;
  /** What was live before: at the request, or before changes that the watcher saw in the seconds before it. */
  readonly since: number;
  readonly changes: Readonly<
    Record<
      'entryPoints' | 'routers' | 'services' | 'middlewares' | 'serversTransports' | 'tlsOptions' | 'certificates',
      Changes
    >
  >;
  /** Static settings that were taken, and those that wait for a restart. */
  readonly taken: readonly string[];
  readonly needsRestart: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
  /** Why workers refused it. */
  readonly problem?: string;
  /** Milliseconds. */
  readonly took: number;
}

/** Puts a verdict together from what was live before and is now. */
export function verdictOf(
  before: Snapshot,
  now: Snapshot,
  found: {
    readonly diagnostics: readonly Diagnostic[];
    readonly taken: readonly string[];
    readonly needsRestart: readonly string[];
    readonly problem: string | null;
    readonly took: number;
  },
): ReloadVerdict {
  const { same: _, ...changes } = diffSnapshots(before, now);
  const { problem, ...rest } = found;
  return {
    ok: problem === null && found.diagnostics.every((d) => d.severity !== 'error'),
    version: now.version,
    since: before.version,
    changes,
    ...rest,
    ...(problem === null ? {} : { problem }),
  };
}

/** `2 routers added, 1 service changed`; empty where nothing changed. */
export function summarize(changes: ReloadVerdict['changes']): string {
  const parts: string[] = [];
  for (const [kind, { added, changed, removed }] of Object.entries(changes)) {
    for (const [what, names] of Object.entries({ added, changed, removed })) {
      if (names.length > 0) parts.push(`${names.length} ${NAMES[kind]![names.length === 1 ? 0 : 1]} ${what}`);
    }
  }
  return parts.join(', ');
}

const NAMES: Readonly<Record<string, readonly [one: string, several: string]>> = {
  entryPoints: ['entry point', 'entry points'],
  routers: ['router', 'routers'],
  services: ['service', 'services'],
  middlewares: ['middleware', 'middlewares'],
  serversTransports: ['serversTransport', 'serversTransports'],
  tlsOptions: ['TLS options', 'TLS options'],
  certificates: ['certificate', 'certificates'],
};
