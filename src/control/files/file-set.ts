import { setImmediate } from 'node:timers/promises';
import { forEachLimited } from './concurrency.ts';
import { comparePaths } from './layout.ts';
import { type Observation, observe, readWhole, sameObservation } from './read.ts';
import { Settling } from './settle.ts';
import { type FileState, LIMITS } from './types.ts';

/** Files read side by side: as many as libuv has threads, twice over. */
const CONCURRENCY = 8;

/** Files of which one knows that they changed, and what was read of them. Decides nothing about when to look: `FilesWatcher` does. */
export class FileSet {
  /** Settled content in path order. */
  files: ReadonlyMap<string, FileState> = new Map();
  readonly #tracked = new Map<string, Settling>();
  readonly #pending = new Set<string>();
  readonly #changed = new Set<string>();
  readonly #removed = new Set<string>();
  readonly #eventsWork: boolean;
  #bytes = 0;

  /** @param eventsWork whether the kernel tells of writes (false when polling) */
  constructor(eventsWork: boolean) {
    this.#eventsWork = eventsWork;
  }

  get paths(): Iterable<string> {
    return this.#tracked.keys();
  }

  /** The earliest time at which a file is to be read. */
  get dueAt(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const path of this.#pending) at = Math.min(at, this.#tracked.get(path)?.dueAt ?? at);
    return at;
  }

  /** Paths that are to be read by now, the one that waits longest first. */
  due(now: number): string[] {
    const dueAt = (path: string) => this.#tracked.get(path)?.dueAt ?? Number.POSITIVE_INFINITY;
    return [...this.#pending].filter((path) => dueAt(path) <= now).sort((a, b) => dueAt(a) - dueAt(b));
  }

  has(path: string): boolean {
    return this.#tracked.has(path);
  }

  /** Newest look at a file. */
  seen(path: string): Observation | undefined {
    return this.#tracked.get(path)?.seen;
  }

  /** Notes an event; false where the file is not known. */
  note(path: string, kind: 'rename' | 'change'): boolean {
    const file = this.#tracked.get(path);
    file?.note(kind);
    return file !== undefined;
  }

  /** The path leads to another place now: what was noted of the old one does not count. */
  moved(path: string): void {
    const file = this.#tracked.get(path);
    if (file === undefined) return;
    file.events++;
    file.writing = false;
  }

  /** Takes a look at a file into account. With `atOnce` it is read without waiting for quiet. */
  look(path: string, now: number, seen: Observation, how: { event: boolean; atOnce?: boolean }): void {
    let file = this.#tracked.get(path);
    if (file === undefined) {
      if (seen === 'missing') return;
      file = new Settling();
      this.#tracked.set(path, file);
    }
    file.look(now, seen, { event: how.event, eventsWork: this.#eventsWork });
    if (how.atOnce === true && file.dueAt < Number.POSITIVE_INFINITY && file.believesEmpty(now)) file.dueAt = now;
    this.#schedule(path, file);
  }

  /**
   * Reads these files. `realOf` gives where a path leads, undefined where nowhere. With `force`, whatever is there is believed, but for
   * a file that has just been emptied. Returns the paths whose way has to be followed anew.
   */
  async read(
    paths: readonly string[],
    realOf: (path: string) => string | undefined,
    force: boolean,
  ): Promise<string[]> {
    const lost: string[] = [];
    const startedAt = performance.now();
    await forEachLimited(paths, CONCURRENCY, async (path) => {
      const file = this.#tracked.get(path);
      if (file === undefined) return;
      if (!(await this.#readOne(path, file, realOf(path), force, startedAt))) lost.push(path);
      if (this.#tracked.has(path)) this.#schedule(path, file);
    });
    return lost;
  }

  /** What changed since the last call, in path order. */
  takeChanges(): { changed: readonly string[]; removed: readonly string[] } {
    const changed = [...this.#changed].sort(comparePaths);
    const removed = [...this.#removed].sort(comparePaths);
    this.#changed.clear();
    this.#removed.clear();
    if (changed.length === 0 && removed.length === 0) return { changed, removed };
    const sameNames = removed.length === 0 && changed.every((path) => this.files.has(path));
    const names = sameNames ? [...this.files.keys()] : [...this.#tracked.keys()].sort(comparePaths);
    const files = new Map<string, FileState>();
    for (const name of names) {
      const state = this.#tracked.get(name)?.state;
      if (state !== undefined) files.set(name, state);
    }
    this.files = files;
    return { changed, removed };
  }

  async #readOne(
    path: string,
    file: Settling,
    real: string | undefined,
    force: boolean,
    startedAt: number,
  ): Promise<boolean> {
    const seen = real === undefined ? 'missing' : await observe(real);
    const now = performance.now();
    if (seen === 'elsewhere') {
      file.dueAt = Number.POSITIVE_INFINITY;
      return false;
    }
    const known = sameObservation(file.seen, seen);
    if (!known || seen === 'missing') file.look(now, seen, { event: !known, eventsWork: this.#eventsWork });
    if (seen === 'missing' || real === undefined) {
      if (!force && !file.believesMissing(now)) return true;
      this.#remove(path, file);
      return real === undefined;
    }
    if (!known && !force && file.dueAt > now) return true;
    if (!file.believesEmpty(now)) return true;
    const events = file.events;
    const whole = file.isWhole(seen, this.#eventsWork);
    const { state, before, after } = await readWhole(real);
    // Lets the kernel's events in that tell of a write before or during the read.
    await setImmediate();
    await setImmediate();
    const disturbed = file.events !== events || !sameObservation(before, after);
    if (state === undefined) {
      file.look(now, 'missing', { event: true, eventsWork: this.#eventsWork });
      return true;
    }
    const complete = !disturbed || (whole && !file.writing);
    const emptied = state.kind === 'ok' && state.bytes.length === 0;
    const hold =
      emptied && hasContent(file.state) && !(seenEmpty(seen) && file.believesEmpty(now) && file.dueAt <= now);
    if (hold || (!complete && !force && !file.isOverdue(now))) {
      file.look(now, after, { event: true, eventsWork: this.#eventsWork });
      file.dueAt = Math.max(file.dueAt, now + 20);
      return true;
    }
    file.taken(now, after, disturbed, startedAt);
    // A write within the clock's last tick before the read may leave the same stamp; with no events to tell, it is read once more.
    if (!this.#eventsWork && isFresh(after)) file.read = undefined;
    this.#accept(path, file, state);
    return true;
  }

  #accept(path: string, file: Settling, read: FileState): void {
    const old = file.state;
    let state = read;
    const rest = this.#bytes - bytesOf(old);
    if (rest + bytesOf(state) > LIMITS.totalBytes) {
      const message = `all files together have more than ${LIMITS.totalBytes} bytes: this one is not kept`;
      state = { kind: 'unreadable', error: { code: 'EFBIG', message } };
    }
    this.#bytes = rest + bytesOf(state);
    if (old !== undefined && sameState(old, state)) return;
    file.state = state;
    this.#removed.delete(path);
    this.#changed.add(path);
  }

  #remove(path: string, file: Settling): void {
    this.#bytes -= bytesOf(file.state);
    this.#tracked.delete(path);
    this.#pending.delete(path);
    this.#changed.delete(path);
    if (this.files.has(path)) this.#removed.add(path);
  }

  #schedule(path: string, file: Settling): void {
    if (file.dueAt === Number.POSITIVE_INFINITY) this.#pending.delete(path);
    else this.#pending.add(path);
  }
}

function sameState(a: FileState, b: FileState): boolean {
  if (a.kind === 'ok' || b.kind === 'ok') return a.kind === 'ok' && b.kind === 'ok' && a.hash === b.hash;
  return a.error.code === b.error.code && a.error.message === b.error.message;
}

function bytesOf(state: FileState | undefined): number {
  return state?.kind === 'ok' ? state.bytes.length : 0;
}

function hasContent(state: FileState | undefined): boolean {
  return bytesOf(state) > 0;
}

function seenEmpty(seen: Observation): boolean {
  return seen !== 'missing' && 'size' in seen && seen.size === 0n;
}

function isFresh(seen: Observation): boolean {
  return seen !== 'missing' && 'mtimeNs' in seen && Math.abs(Date.now() - Number(seen.mtimeNs / 1_000_000n)) < 50;
}
