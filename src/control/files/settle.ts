import { type Observation, type Stamp, sameFile, sameObservation } from './read.ts';
import { type FileState, TIMES } from './types.ts';

/** How a look at a file came about. */
export interface Touch {
  /** The kernel told of a change to this very file. False for scans, which know only what they see. */
  readonly event: boolean;
  /** False where nothing tells of writes (polling): then a file with another inode may still be in the making. */
  readonly eventsWork: boolean;
}

/** One file between its changes and their being read. Times are of a monotonic clock, in milliseconds. */
export class Settling {
  /** What was there when the content was last read. */
  read: Observation | undefined;
  /** The content that others see. */
  state: FileState | undefined;
  /** Newest look at the file. */
  seen: Observation | undefined;
  /** When to read (or look again); Infinity where nothing is to be done. */
  dueAt = Number.POSITIVE_INFINITY;
  /** Counts what the kernel told, to notice changes while reading. */
  events = 0;
  /** Somebody has written into the file since it came to its name. */
  writing = false;
  /** The kernel told that something came to this name, so that `writing` says whether it was written since. */
  arrived = false;
  readAt = Number.NEGATIVE_INFINITY;
  /** First change that has not been read. */
  #firstUnread: number | undefined;
  /** The same, but for the time that the file was held back because it was empty. */
  #unreadSince: number | undefined;
  #changedAt = 0;
  /** The kernel told of a change that has not been read, which counts even where the stamp is the same. */
  #told = false;
  #emptySince: number | undefined;
  #missingSince: number | undefined;

  /** Notes an event of the kernel; the look at the file follows. */
  note(kind: 'rename' | 'change'): void {
    this.events++;
    if (kind === 'change') this.writing = true;
    else {
      this.writing = false;
      this.arrived = true;
    }
  }

  /** Takes a look at the file into account and decides when it is to be read. */
  look(now: number, seen: Observation, touch: Touch): void {
    const differs = !sameObservation(this.seen, seen);
    this.seen = seen;
    if (seen === 'missing') {
      this.#missingSince ??= now;
      this.#emptySince = undefined;
      // What comes next starts from nothing; unless the kernel tells that it was moved here, it may still be in the making.
      this.writing = false;
      this.arrived = false;
      this.dueAt = this.#missingSince + TIMES.missingGrace;
      return;
    }
    const returned = this.#missingSince !== undefined;
    this.#missingSince = undefined;
    this.#told ||= touch.event;
    if (!this.#told && sameObservation(this.read, seen)) {
      this.settled();
      return;
    }
    this.#firstUnread ??= now;
    this.#unreadSince ??= now;
    if (differs || touch.event) this.#changedAt = now;
    if (this.#holdsBecauseEmpty(seen)) {
      this.#emptySince ??= now;
      this.dueAt = this.#emptySince + TIMES.emptyHold;
      return;
    }
    // Filled after a while: whoever does that gets the usual time to finish. Bounded, for files that are emptied and filled without end.
    if (this.#emptySince !== undefined && now - this.#emptySince >= TIMES.quiet) {
      this.#unreadSince = Math.min(now, this.#firstUnread + TIMES.emptyHold);
    }
    this.#emptySince = undefined;
    this.dueAt = this.isWhole(seen, touch.eventsWork, returned)
      ? Math.max(now, this.readAt + TIMES.betweenReads)
      : Math.min(this.#changedAt + TIMES.quiet, this.#unreadSince + TIMES.unreadAtMost);
  }

  /** Whether the file was put in place complete (renamed, linked), as opposed to being written where it is. */
  isWhole(seen: Observation, eventsWork = true, returned = false): boolean {
    if (!eventsWork || this.writing || seen === 'missing' || 'code' in seen || seen.size === 0n) return false;
    const before = this.read;
    if (before === undefined || before === 'missing' || 'code' in before || returned) return this.arrived;
    return !sameFile(before, seen);
  }

  /** Whether an empty file has been empty for so long that it is believed; also true for a file that had no content before. */
  believesEmpty(now: number): boolean {
    return this.#emptySince === undefined || now >= this.#emptySince + TIMES.emptyHold;
  }

  /** Whether a missing file has been missing for so long that it is believed. */
  believesMissing(now: number): boolean {
    return this.#missingSince !== undefined && now >= this.#missingSince + TIMES.missingGrace;
  }

  /** Whether the file has waited so long that a content which is still changing must be taken. */
  isOverdue(now: number): boolean {
    return this.#unreadSince !== undefined && now >= this.#unreadSince + TIMES.unreadAtMost;
  }

  /** Nothing is left to be read. */
  settled(): void {
    this.#told = false;
    this.#firstUnread = undefined;
    this.#unreadSince = undefined;
    this.#emptySince = undefined;
    this.dueAt = Number.POSITIVE_INFINITY;
  }

  /**
   * Content was taken at `now`; with `again`, it was changing meanwhile and is to be read once more.
   * @param readAt when the read began: the same for all that are read together, so that files exchanged together right
   *   afterwards are due together, too
   */
  taken(now: number, read: Stamp | Observation, again: boolean, readAt = now): void {
    this.read = read;
    this.readAt = readAt;
    this.settled();
    if (!again) return;
    this.#firstUnread = now;
    this.#unreadSince = now;
    this.#changedAt = now;
    this.dueAt = now + (this.writing ? TIMES.quiet : TIMES.betweenReads);
  }

  #holdsBecauseEmpty(seen: Stamp | { readonly code: string }): boolean {
    return 'size' in seen && seen.size === 0n && this.state?.kind === 'ok' && this.state.bytes.length > 0;
  }
}
