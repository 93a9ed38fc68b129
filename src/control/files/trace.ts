import type { BigIntStats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A path followed to its end: what is there, and by which names one gets there. */
export interface Trace {
  /** The path without symbolic links, as far as it exists. */
  readonly real: string;
  readonly kind: 'file' | 'directory' | 'other' | 'missing' | 'error';
  /** The system's error code, for `missing` and `error`. */
  readonly code?: string;
}

/** Called for each directory and name whose change can make the path lead elsewhere. */
export type OnStep = (directory: string, name: string) => void;

type Step = { stats: BigIntStats; link: string | undefined } | { code: string };

/** As many as Linux follows before it says ELOOP. */
const MAX_LINKS = 40;

/**
 * Follows paths by hand, link by link, because the kernel tells of changes only in the directory where they happen: a file behind three links
 * changes when any of four directories does. One tracer serves one scan and remembers what it has seen.
 */
export class Tracer {
  readonly #steps = new Map<string, Promise<Step>>();

  /**
   * Identity of a directory met on the way, to notice that another one has taken its place: device, inode, and when it was made,
   * for the inode of one that is removed may be given to the next.
   */
  async identity(directory: string): Promise<string | undefined> {
    const step = await this.#look(directory);
    return 'stats' in step ? `${step.stats.dev}:${step.stats.ino}:${step.stats.birthtimeNs}` : undefined;
  }

  /** Follows an absolute path. The last name is reported by `onStep` unless it is a plain file. */
  async trace(path: string, onStep: OnStep): Promise<Trace> {
    let current = '/';
    let rest = path.split('/');
    let links = 0;
    let kind: Trace['kind'] = 'directory';
    while (rest.length > 0) {
      const name = rest[0] ?? '';
      rest = rest.slice(1);
      if (name === '' || name === '.') continue;
      if (name === '..') {
        current = dirname(current);
        continue;
      }
      const next = join(current, name);
      const step = await this.#look(next);
      if ('code' in step) {
        onStep(current, name);
        const missing = step.code === 'ENOENT' || step.code === 'ENOTDIR';
        return { real: next, kind: missing ? 'missing' : 'error', code: step.code };
      }
      if (step.link !== undefined) {
        onStep(current, name);
        if (++links > MAX_LINKS) return { real: next, kind: 'error', code: 'ELOOP' };
        if (step.link.startsWith('/')) current = '/';
        rest = [...step.link.split('/'), ...rest];
        continue;
      }
      kind = step.stats.isDirectory() ? 'directory' : step.stats.isFile() ? 'file' : 'other';
      if (kind !== 'file' || rest.some((part) => part !== '' && part !== '.')) onStep(current, name);
      if (kind !== 'directory' && rest.length > 0) return { real: next, kind: 'missing', code: 'ENOTDIR' };
      current = next;
    }
    return { real: current, kind: current === '/' ? 'directory' : kind };
  }

  #look(path: string): Promise<Step> {
    let step = this.#steps.get(path);
    if (step === undefined) {
      step = look(path);
      this.#steps.set(path, step);
    }
    return step;
  }
}

async function look(path: string): Promise<Step> {
  try {
    const stats = await lstat(path, { bigint: true });
    return { stats, link: stats.isSymbolicLink() ? await readlink(path) : undefined };
  } catch (error) {
    return { code: errorCode(error) };
  }
}

/** The system's code of an error, or `EUNKNOWN`. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EUNKNOWN';
}
