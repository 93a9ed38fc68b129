import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { contentAsText, isPkcs12 } from './content.ts';
import { type FilesWatcher, LIMITS, type Log } from './types.ts';
import { watchFiles } from './watcher.ts';

/**
 * The files that a configuration refers to: certificates, keys, CAs, user lists. Their content is kept and watched, so that
 * a build reads without waiting and a changed file leads to a new build.
 */
export class Material {
  readonly #watcher: FilesWatcher;

  private constructor(watcher: FilesWatcher) {
    this.#watcher = watcher;
  }

  static async open(options: { readonly watch: boolean; readonly log: Log }, onChange: () => void): Promise<Material> {
    const watcher = await watchFiles({ paths: [], watch: options.watch, log: options.log }, onChange);
    return new Material(watcher);
  }

  /** The content of a file, or why there is none. */
  readonly read = (path: string): string | Error => {
    const absolute = resolve(path);
    const known = this.#watcher.files.get(absolute);
    if (known?.kind === 'ok') return isPkcs12(absolute) ? contentAsText(absolute, known.bytes) : known.text;
    if (known?.kind === 'unreadable') return Object.assign(new Error(known.error.message), { code: known.error.code });
    // Seen for the first time: it is watched once this build is over.
    return readNow(path);
  };

  /** Watches these files from now on, and no others. */
  watch(paths: readonly string[]): Promise<void> {
    return this.#watcher.setPaths(paths.map((path) => resolve(path)));
  }

  rescan(): Promise<void> {
    return this.#watcher.rescan();
  }

  close(): Promise<void> {
    return this.#watcher.close();
  }
}

/** The content of a file as it is now, or why there is none. Bounded by `LIMITS.bytes`. */
export function readNow(path: string): string | Error {
  try {
    if (statSync(path).size > LIMITS.bytes) return new Error(`${path} is larger than ${LIMITS.bytes} bytes`);
    return contentAsText(path, readFileSync(path));
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
