import { type FSWatcher as NodeWatcher, watch as watchNode } from 'node:fs';
import { isAbsolute } from 'node:path';
import { type FSWatcher, watch as watchChokidar } from 'chokidar';
import { remoteFileSystem } from './mounts.ts';
import { errorCode } from './trace.ts';
import type { Log } from './types.ts';

/** `rename`: a name came, went or was exchanged. `change`: content or attributes of what has the name. A null name: anything may have happened. */
export type OnTrigger = (directory: string, name: string | null, kind: 'rename' | 'change') => void;

interface Watch {
  readonly identity: string;
  /** Chokidar looks at every entry when it starts, which parents that only lead to our files do not need (one may hold a dead network mount). */
  readonly full: boolean;
  /** The directory itself was moved or removed. */
  replaced: boolean;
  close: () => Promise<void>;
}

/** How long a watch may take to start before the directory is treated as one that cannot be watched. */
const START_TIMEOUT = 2_000;

/**
 * The kernel's word on a set of directories. Of chokidar only the raw events are used: its own judgement of what has changed leaves out changes
 * that matter here (of permissions, within 50 ms of another, in ignored names). And it is not relied on alone: all of its watchers of one path
 * share a handle, which may be that of a directory that has been replaced. So each watch has a handle of its own as well, and most events come twice.
 */
export class Triggers {
  readonly #watches = new Map<string, Watch>();
  readonly #mounted = new Map<string, NodeWatcher>();
  readonly #weak = new Map<string, string>();
  readonly #onTrigger: OnTrigger;
  readonly #log: Log;
  #closed = false;

  constructor(onTrigger: OnTrigger, log: Log) {
    this.#onTrigger = onTrigger;
    this.#log = log;
  }

  /** Whether some directory has to be looked at from time to time, because the kernel does not tell of its changes. */
  get weak(): boolean {
    return this.#weak.size > 0;
  }

  /**
   * Watches these directories (path without links → identity) and no others; `full` says which hold files of ours. Resolves when the
   * watches stand: true where one is new, or its directory is gone, so that what happened before it has to be looked up.
   */
  async sync(directories: ReadonlyMap<string, string>, full: (directory: string) => boolean): Promise<boolean> {
    const closing: Promise<void>[] = [];
    for (const [directory, watch] of this.#watches) {
      const wanted = directories.get(directory);
      if (wanted === watch.identity && full(directory) === watch.full && !watch.replaced) continue;
      this.#watches.delete(directory);
      closing.push(watch.close());
    }
    for (const directory of this.#weak.keys()) if (!directories.has(directory)) this.#weak.delete(directory);
    await Promise.all(closing);
    const opening: Promise<boolean>[] = [];
    for (const [directory, identity] of directories) {
      if (!this.#watches.has(directory)) opening.push(this.#open(directory, identity, full(directory)));
    }
    return (await Promise.all(opening)).includes(true);
  }

  /** Watches these files themselves: mount points, of whose changes their directory does not hear. */
  syncMounted(files: ReadonlySet<string>, onChange: (file: string) => void): void {
    for (const [file, watcher] of this.#mounted) {
      if (files.has(file)) continue;
      this.#mounted.delete(file);
      watcher.close();
    }
    for (const file of files) {
      if (this.#mounted.has(file)) continue;
      try {
        const watcher = watchNode(file, () => onChange(file));
        watcher.on('error', (error) => this.#weaken(file, errorCode(error)));
        this.#mounted.set(file, watcher);
      } catch (error) {
        this.#weaken(file, errorCode(error));
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const watcher of this.#mounted.values()) watcher.close();
    this.#mounted.clear();
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    await Promise.all(watches.map((watch) => watch.close()));
  }

  async #open(directory: string, identity: string, full: boolean): Promise<boolean> {
    // Events come before the watch has started: one of the directory's end must not be lost, for another may have its inode by now.
    const watch: Watch = { identity, full, replaced: false, close: () => Promise.resolve() };
    const onRaw = (kind: string, name: string | null) => {
      if (this.#closed) return;
      // An absolute name comes from chokidar's polling, which its own environment variable can force: it says nothing about entries.
      const entry = name === null || isAbsolute(name) ? null : name;
      // The kernel tells of the directory's own end under the directory's own name.
      if (kind === 'rename' && entry !== null && directory.endsWith(`/${entry}`)) {
        watch.replaced = true;
        this.#onTrigger(directory, null, 'rename');
      }
      this.#onTrigger(directory, entry, kind === 'change' ? 'change' : 'rename');
    };
    const opened = await (full ? openBoth : openNode)(directory, onRaw, (code) => this.#weaken(directory, code));
    if (opened === 'gone') return true;
    if (opened === undefined) return false;
    watch.close = opened.close;
    this.#watches.set(directory, watch);
    const doubt = opened.doubt ?? (full ? await remoteFileSystem(directory) : undefined);
    if (doubt === undefined) this.#weak.delete(directory);
    else this.#weaken(directory, doubt);
    return true;
  }

  #weaken(directory: string, code: string): void {
    if (this.#closed || this.#weak.get(directory) === code) return;
    this.#weak.set(directory, code);
    const hint =
      code === 'ENOSPC'
        ? '; raise fs.inotify.max_user_watches'
        : code === 'EMFILE'
          ? '; raise fs.inotify.max_user_instances'
          : '';
    const message = `${directory} cannot be watched (${code})${hint}: it is looked at every second instead`;
    this.#log(code === 'EACCES' ? 'debug' : 'warn', message, { directory, code });
  }
}

interface Opened {
  readonly close: () => Promise<void>;
  /** Why it may not hear of every change. */
  readonly doubt: string | undefined;
}

type Open = (
  directory: string,
  onRaw: (kind: string, name: string | null) => void,
  onError: (code: string) => void,
) => Promise<Opened | 'gone' | undefined>;

const openNode: Open = async (directory, onRaw, onError) => {
  try {
    const watcher = watchNode(directory, onRaw);
    watcher.on('error', (error) => onError(errorCode(error)));
    return { close: async () => watcher.close(), doubt: undefined };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 'gone';
    onError(errorCode(error));
    return undefined;
  }
};

/** One for a directory that is gone waits for it: that it is gone its own handle tells, see {@link openBoth}. */
const openChokidar = async (...[directory, onRaw, onError]: Parameters<Open>): Promise<Opened | undefined> => {
  let failed = false;
  const watcher: FSWatcher = watchChokidar(directory, {
    depth: 0,
    atomic: false,
    ignoreInitial: true,
    followSymlinks: false,
    // It keeps no account of the entries: the scan does.
    ignored: (path) => path !== directory,
  });
  watcher.on('raw', (kind, name) => onRaw(kind, name));
  watcher.on('error', (error) => {
    failed = true;
    onError(errorCode(error));
  });
  const started = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), START_TIMEOUT);
    watcher.once('ready', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
  // One that is slow to start is kept: it may still come to life. The environment can force polling on chokidar, which sees less than we need.
  const polling = watcher.options.backend === 'polling' ? 'CHOKIDAR_USEPOLLING' : undefined;
  const doubt = started ? polling : 'ETIMEDOUT';
  if (!failed) return { close: () => watcher.close(), doubt };
  await watcher.close();
  return undefined;
};

const openBoth: Open = async (directory, onRaw, onError) => {
  const own = await openNode(directory, onRaw, onError);
  if (own === undefined || own === 'gone') return own;
  const shared = await openChokidar(directory, onRaw, onError);
  if (shared === undefined) {
    await own.close();
    return undefined;
  }
  const close = async (): Promise<void> => {
    await Promise.all([own.close(), shared.close()]);
  };
  return { close, doubt: shared.doubt };
};
