import { basename, dirname, join } from 'node:path';
import { forEachLimited } from './concurrency.ts';
import { FileSet } from './file-set.ts';
import { addFile, emptyLayout, isRelevantName, type Layout, removeFile, scanLayout, staleMounts } from './layout.ts';
import { observe } from './read.ts';
import { Triggers } from './triggers.ts';
import type { FileState, FilesChanged, FilesWatcher, Log, PathProblem, WatchOptions } from './types.ts';
import { LIMITS, TIMES } from './types.ts';

/** Files read before others get their turn and `onChange` its call: one slow batch must not hold up a file that has just been replaced. */
const BATCH = 256;
/** More events than this at once (most come twice), and the kernel's own queue may have overflowed: everything is looked at again. */
const STORM = 8_192;
/** Looks at files at the same time. */
const LOOKS = 32;

type EventKind = 'rename' | 'change';

/**
 * Watches files and directories and reads what changes. Resolves when everything has been read once; `onChange` is first called for later changes.
 *
 * The kernel only says where to look; what is true is found by looking (device, inode, size, times) and by the hash of the content. So an event too
 * many costs nothing, and one too few is made up for by the next scan. A file with another inode is read at once, one that is written in place when
 * it has been quiet; see `TIMES`. Never throws for what is wrong with files: that is in `files` and `problems`.
 */
export async function watchFiles(
  options: WatchOptions,
  onChange: (event: FilesChanged) => void,
): Promise<FilesWatcher> {
  const watcher = new Watcher(options, onChange);
  await watcher.start();
  return watcher;
}

class Watcher implements FilesWatcher {
  problems: readonly PathProblem[] = [];
  readonly #options: WatchOptions;
  readonly #onChange: (event: FilesChanged) => void;
  readonly #log: Log;
  readonly #extensions: ReadonlySet<string> | undefined;
  readonly #triggers: Triggers | undefined;
  readonly #set: FileSet;
  #paths: readonly string[];
  #layout: Layout = emptyLayout();
  /** Events that came while the layout was being made, for which the old one may have no place. */
  #replay: [string, string | null, EventKind][] | undefined;
  /** Real paths of which the kernel told → the last that it told. */
  readonly #touched = new Map<string, EventKind>();
  #layoutWanted = true;
  #layoutNotBefore = 0;
  #notBefore = 0;
  #scanAt = Number.POSITIVE_INFINITY;
  #eventsAtOnce = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  /** Cycles run one after the other. */
  #running: Promise<void> = Promise.resolve();
  #busy = false;
  #quietly = true;
  #closed = false;

  constructor(options: WatchOptions, onChange: (event: FilesChanged) => void) {
    this.#options = options;
    this.#onChange = onChange;
    this.#paths = options.paths;
    this.#extensions = options.extensions && new Set(options.extensions.map((each) => each.toLowerCase()));
    this.#log = options.log ?? warnOnly;
    if (options.watch && options.poll === undefined) {
      this.#triggers = new Triggers((directory, name, kind) => this.#onTrigger(directory, name, kind), this.#log);
    }
    this.#set = new FileSet(this.#triggers !== undefined);
  }

  get files(): ReadonlyMap<string, FileState> {
    return this.#set.files;
  }

  async start(): Promise<void> {
    await this.rescan();
    this.#quietly = false;
  }

  rescan(): Promise<void> {
    return this.#enqueue(async () => {
      await this.#scan(true);
      await this.#readDue([...this.#set.paths], true);
      this.#report();
    });
  }

  setPaths(paths: readonly string[]): Promise<void> {
    return this.#enqueue(async () => {
      const before = new Set(this.#set.paths);
      this.#paths = paths;
      await this.#scan(false);
      const gone = [...before].filter((path) => !this.#layout.files.has(path));
      const added = [...this.#layout.files.keys()].filter((path) => !before.has(path));
      await this.#readDue([...gone, ...added], true);
      this.#report();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#triggers?.close();
    await this.#running;
    // A cycle that was under way may have opened watches.
    await this.#triggers?.close();
  }

  #onTrigger(directory: string, name: string | null, kind: EventKind): void {
    if (this.#closed) return;
    if (this.#replay !== undefined && this.#replay.length < STORM) this.#replay.push([directory, name, kind]);
    if (++this.#eventsAtOnce > STORM) this.#layoutWanted = true;
    if (this.#place(directory, name, kind)) this.#wake(performance.now() + TIMES.coalesce);
  }

  /** Finds out what an event concerns; false where nothing. */
  #place(directory: string, name: string | null, kind: EventKind): boolean {
    if (name === null) {
      this.#layoutWanted = true;
      return true;
    }
    const real = join(directory, name);
    const paths = this.#layout.byReal.get(real);
    for (const path of paths ?? []) this.#set.note(path, kind);
    const leads = this.#layout.links.get(directory)?.has(name) === true;
    if (leads) this.#layoutWanted = true;
    const listed = this.#layout.listed.has(directory) && !name.startsWith('.');
    const entry = listed && (kind === 'rename' || isRelevantName(name, this.#extensions));
    if (paths === undefined && !entry) return leads;
    if (this.#touched.size < STORM) this.#touched.set(real, kind);
    else this.#layoutWanted = true;
    return true;
  }

  #wake(at: number): void {
    if (this.#closed || this.#busy || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Number.POSITIVE_INFINITY;
        void this.#enqueue(() => this.#cycle());
      },
      Math.max(0, at - performance.now()),
    );
  }

  /** Runs work after what is running, then sleeps until the next is due. An error of a caller's callback goes to the log. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    const run = this.#running.then(async () => {
      if (this.#closed) return;
      this.#busy = true;
      try {
        await work();
      } catch (error) {
        // Whatever it was would be tried again at once.
        this.#notBefore = performance.now() + TIMES.afterFailure;
        this.#log('error', `watching files failed: ${String(error)}`, { err: error });
      } finally {
        this.#busy = false;
      }
      this.#wake(Math.max(this.#nextAt(), this.#notBefore));
    });
    this.#running = run;
    return run;
  }

  #nextAt(): number {
    // Files that are still settling after a rescan are waited for even where nothing else is.
    if (!this.#options.watch) return this.#set.dueAt;
    const now = performance.now();
    const soon = this.#touched.size > 0 ? now + TIMES.coalesce : Number.POSITIVE_INFINITY;
    const layout = this.#layoutWanted ? Math.max(now + TIMES.coalesce, this.#layoutNotBefore) : this.#scanAt;
    return Math.min(soon, layout, this.#set.dueAt);
  }

  async #cycle(): Promise<void> {
    this.#eventsAtOnce = 0;
    const touched = new Map(this.#touched);
    this.#touched.clear();
    await forEachLimited(touched, LOOKS, ([real, kind]) => this.#lookAt(real, kind));
    const now = performance.now();
    const scan = (this.#layoutWanted && now >= this.#layoutNotBefore) || now >= this.#scanAt;
    if (scan && this.#options.watch) await this.#scan(false);
    await this.#readDue(this.#set.due(performance.now()).slice(0, BATCH), false);
    this.#report();
  }

  /** Looks at a path of which the kernel told. */
  async #lookAt(real: string, kind: EventKind): Promise<void> {
    const seen = await observe(real);
    const now = performance.now();
    const paths = this.#layout.byReal.get(real);
    if (seen === 'elsewhere') {
      this.#layoutWanted = true;
      return;
    }
    if (paths !== undefined) {
      for (const path of paths) this.#set.look(path, now, seen, { event: true });
      return;
    }
    if (seen === 'missing' || !isRelevantName(basename(real), this.#extensions)) return;
    for (const directory of this.#layout.listed.get(dirname(real)) ?? []) {
      const path = join(directory, basename(real));
      if (this.#layout.files.size >= LIMITS.files) {
        this.#layoutWanted = true;
        return;
      }
      addFile(this.#layout, path, real);
      this.#set.look(path, now, seen, { event: true });
      // Again after it is known, so that it knows how it came: files that were moved here are whole.
      if (this.#set.note(path, kind)) this.#set.look(path, now, seen, { event: true });
    }
  }

  /** Finds all files anew, moves the watches, and looks at every file. */
  async #scan(atOnce: boolean): Promise<void> {
    const startedAt = performance.now();
    this.#layoutWanted = false;
    this.#replay = [];
    const old = this.#layout;
    let layout = await scanLayout(this.#paths, this.#extensions);
    const triggers = this.#triggers;
    if (triggers !== undefined) {
      // What happens between a scan and the start of its watches is seen by the next scan; a tree that does not stand still is scanned again later.
      let settled = false;
      for (let round = 0; round < 4 && !settled && !this.#closed; round++) {
        const holdsFiles = new Set([...layout.listed.keys(), ...[...layout.byReal.keys()].map(dirname)]);
        settled = !(await triggers.sync(layout.directories, (directory) => holdsFiles.has(directory)));
        if (!settled) layout = await scanLayout(this.#paths, this.#extensions);
      }
      if (!settled) this.#layoutWanted = true;
      triggers.syncMounted(layout.mounted, (file) => this.#onTrigger(dirname(file), basename(file), 'change'));
    }
    this.#layout = layout;
    const replay = this.#replay;
    this.#replay = undefined;
    if (replay.length >= STORM) this.#layoutWanted = true;
    for (const [directory, name, kind] of replay) this.#place(directory, name, kind);

    for (const [path, real] of layout.files) {
      const before = old.files.get(path);
      if (before !== undefined && before !== real) this.#set.moved(path);
    }
    await forEachLimited([...layout.files], LOOKS, async ([path, real]) => {
      const seen = await observe(real);
      if (seen === 'elsewhere') this.#layoutWanted = true;
      else this.#set.look(path, performance.now(), seen, { event: false, atOnce });
    });
    const now = performance.now();
    for (const path of this.#set.paths) {
      if (!layout.files.has(path)) this.#set.look(path, now, 'missing', { event: false });
    }
    // A tree that changes all the time gets at most half of this process's time.
    this.#layoutNotBefore = now + Math.min(now - startedAt, TIMES.unreadAtMost);
    const interval = Math.max(
      this.#options.poll ?? (triggers?.weak === true ? TIMES.weakScan : TIMES.safetyScan),
      TIMES.pollAtLeast,
    );
    this.#scanAt = this.#options.watch ? now + interval : Number.POSITIVE_INFINITY;
  }

  async #readDue(paths: readonly string[], force: boolean): Promise<void> {
    const lost = await this.#set.read(paths, (path) => this.#layout.files.get(path), force);
    for (const path of lost) {
      const real = this.#layout.files.get(path) ?? '';
      const isEntry =
        basename(real) === basename(path) && this.#layout.listed.get(dirname(real))?.has(dirname(path)) === true;
      // An entry that is gone needs no scan: its directory tells when the name comes back.
      if (isEntry && !this.#set.has(path)) removeFile(this.#layout, path);
      else this.#layoutWanted = true;
    }
  }

  #report(): void {
    const { changed, removed } = this.#set.takeChanges();
    const problems = [...this.#layout.problems, ...staleMounts(this.#layout, (path) => this.#set.seen(path))];
    const problemsChanged = JSON.stringify(problems) !== JSON.stringify(this.problems);
    if (problemsChanged) this.problems = problems;
    if (this.#closed || this.#quietly) return;
    if (changed.length > 0 || removed.length > 0 || problemsChanged)
      this.#onChange({ changed, removed, problemsChanged });
  }
}

/** Without a logger, what matters still goes to standard error. */
const warnOnly: Log = (level, message) => {
  if (level === 'warn' || level === 'error') process.emitWarning(message);
};
