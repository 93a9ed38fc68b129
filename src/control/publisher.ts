import type { Diagnostic } from '../core/diagnostic.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { BuildOutcome } from './build/build-snapshot.ts';
import { diffSnapshots, type SnapshotDiff } from './build/diff.ts';
import type { PublishResult } from './supervisor.ts';

/** What became of the last attempt to change what is served. */
export interface Attempt {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Whether everything that was read is served, without an error in it. */
  readonly ok: boolean;
  /** What is live since then. */
  readonly version: number;
  /** In one line. */
  readonly message: string;
}

export interface PublisherOptions {
  /** Makes the snapshot of what providers say now. */
  readonly build: (version: number, live: Snapshot | null) => BuildOutcome;
  /** Hands it to the workers. */
  readonly publish: (snapshot: Snapshot) => Promise<PublishResult>;
  /**
   * A build was made, served or not: its findings are to be told.
   * @returns all findings of the moment, those of providers among them
   */
  readonly built: (outcome: BuildOutcome) => readonly Diagnostic[];
  /** What is served asks for these certificates; also where nothing else changed. */
  readonly wanted: (outcome: BuildOutcome) => void;
  /** It is live. */
  readonly live: (outcome: BuildOutcome, diff: SnapshotDiff, result: PublishResult) => void;
  /** Workers refused it; what was live stays live. */
  readonly refused: (result: PublishResult, live: Snapshot) => void;
  /** Something of the above threw, which is a fault of the proxy; what was live stays live. */
  readonly broken: (error: unknown, problem: string) => void;
}

/** Who saves a file and then asks for a reload wants to be told of that file, though the watcher was faster. */
const RECENT_MS = 10_000;

/**
 * Changes, one after the other: build ─► the same as what is live? ─► publish ─► live. What changes while one is published is
 * taken together behind it.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  #live: Snapshot | null = null;
  #version = 0;
  #running: Promise<void> | null = null;
  #again = false;
  /** Something else than certificates by ACME has changed: what comes of it is told as a reload. */
  #configured = false;
  #stopped = false;
  #last: Attempt | null = null;
  #succeeded = 0;
  #failed = 0;
  #problem: string | null = null;
  /** What was live before a row of changes, and when the last of them was taken. */
  #recent: { readonly snapshot: Snapshot; at: number } | null = null;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** What is served. */
  get live(): Snapshot | null {
    return this.#live;
  }

  /** The last attempt, and how many there were. */
  get attempts(): { readonly last: Attempt | null; readonly succeeded: number; readonly failed: number } {
    return { last: this.#last, succeeded: this.#succeeded, failed: this.#failed };
  }

  /** What was live before the changes of the last seconds: a file that was saved just before a reload is part of it. */
  get before(): Snapshot | null {
    const recent = this.#recent;
    return recent !== null && Date.now() - recent.at < RECENT_MS ? recent.snapshot : this.#live;
  }

  /** What changed until now has been told. */
  told(): void {
    this.#recent = null;
  }

  /** Why the last snapshot was refused by workers; null where it was not. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Makes the first snapshot; it is live once {@link begin} is called with it. */
  first(): BuildOutcome {
    return this.#options.build(++this.#version, null);
  }

  /** The first snapshot is what workers start on. */
  begin(outcome: BuildOutcome): void {
    this.#live = outcome.snapshot;
    const findings = this.#options.built(outcome);
    this.#note(findings, `version ${outcome.snapshot.version} is live`);
  }

  /** Something that a build reads has changed. Certificates that come and go by themselves are no reload. */
  changed(what: 'configuration' | 'certificates' = 'configuration'): void {
    if (this.#live === null || this.#stopped) return;
    if (what === 'configuration') this.#configured = true;
    if (this.#running !== null) {
      this.#again = true;
      return;
    }
    this.#running = this.#run().finally(() => {
      this.#running = null;
    });
  }

  /** Resolves when all that changed until now is live, or refused. */
  async settled(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** No further change. */
  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#once();
      } catch (error) {
        this.#failedIn(error);
      }
    } while (this.#again && !this.#stopped);
  }

  async #once(): Promise<void> {
    const before = this.#live!;
    const configured = this.#configured;
    this.#configured = false;
    // A version that was refused is not used again: logs and workers must not mean two snapshots by one number.
    const outcome = this.#options.build(this.#version + 1, before);
    const findings = this.#options.built(outcome);
    const diff = diffSnapshots(before, outcome.snapshot);
    if (diff.same) {
      this.#problem = null;
      this.#options.wanted(outcome);
      if (configured) this.#note(findings, `nothing changed, version ${before.version} is live`);
      return;
    }
    this.#version++;
    const result = await this.#options.publish(outcome.snapshot);
    if (result.refused.length > 0) {
      this.#problem = `version ${result.version} was refused by workers (${result.refused.join('; ')}): version ${before.version} stays live`;
      this.#failed++;
      this.#last = { at: Date.now(), ok: false, version: before.version, message: this.#problem };
      this.#options.refused(result, before);
      return;
    }
    this.#problem = null;
    this.#live = outcome.snapshot;
    if (configured) this.#remember(before);
    this.#options.live(outcome, diff, result);
    this.#options.wanted(outcome);
    if (configured) this.#note(findings, `version ${result.version} is live`);
  }

  /** A fault of the proxy itself in a change must not end one that serves: what is live stays live. */
  #failedIn(error: unknown): void {
    const version = this.#live?.version ?? 0;
    const what = error instanceof Error ? error.message : String(error);
    this.#problem = `the change failed in the proxy (${what}): version ${version} stays live`;
    this.#failed++;
    this.#last = { at: Date.now(), ok: false, version, message: this.#problem };
    this.#options.broken(error, this.#problem);
  }

  #remember(before: Snapshot): void {
    const now = Date.now();
    if (this.#recent !== null && now - this.#recent.at < RECENT_MS) this.#recent.at = now;
    else this.#recent = { snapshot: before, at: now };
    const { at } = this.#recent;
    // An old snapshot is not held for nothing.
    setTimeout(() => {
      if (this.#recent?.at === at) this.#recent = null;
    }, RECENT_MS).unref();
  }

  #note(diagnostics: readonly Diagnostic[], message: string): void {
    const errors = diagnostics.filter((d) => d.severity === 'error').length;
    if (errors === 0) this.#succeeded++;
    else this.#failed++;
    this.#last = {
      at: Date.now(),
      ok: errors === 0,
      version: this.#live?.version ?? 0,
      message: errors === 0 ? message : `${message}, with ${errors} ${errors === 1 ? 'error' : 'errors'}`,
    };
  }
}
