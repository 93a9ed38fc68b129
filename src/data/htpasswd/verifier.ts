import { Worker } from 'node:worker_threads';
import type { Question } from './verify-thread.ts';

/** Most checks that wait; at 70 ms each (bcrypt, cost 10) the last would wait 9 s. */
const MAX_WAITING = 128;

/** `busy`: too many checks wait. `gone`: nobody wanted the answer any more when its turn came. */
export type Verdict = 'match' | 'mismatch' | 'busy' | 'gone';

interface Check {
  readonly password: Buffer;
  readonly hash: string;
  readonly isWanted: () => boolean;
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Verifies passwords one after the other on a thread of its own, so that no request waits for the computation of another's
 * hash: bcrypt in JavaScript would hold the event loop for up to 100 ms at a time. The thread is started by the first check,
 * and keeps the process alive only while it computes.
 */
export class PasswordVerifier {
  #thread: Worker | null = null;
  #running: Check | null = null;
  readonly #waiting: Check[] = [];
  readonly #maxWaiting: number;

  constructor(maxWaiting: number = MAX_WAITING) {
    this.#maxWaiting = maxWaiting;
  }

  /**
   * @param isWanted asked when the check's turn comes; false spares the computation
   * @throws (rejects) where the thread cannot be started or dies
   */
  verify(password: Buffer, hash: string, isWanted: () => boolean): Promise<Verdict> {
    if (this.#waiting.length >= this.#maxWaiting) return Promise.resolve('busy');
    return new Promise<Verdict>((resolve, reject) => {
      this.#waiting.push({ password, hash, isWanted, resolve, reject });
      if (this.#running === null) this.#next();
    });
  }

  /** Ends the thread; checks that wait are rejected. The next check starts another. */
  async close(): Promise<void> {
    const thread = this.#thread;
    if (thread === null) return;
    this.#lose(thread, new Error('the password verifier was closed'));
    await thread.terminate();
  }

  #next(): void {
    for (let check = this.#waiting.shift(); check !== undefined; check = this.#waiting.shift()) {
      if (!check.isWanted()) {
        check.resolve('gone');
        continue;
      }
      const question: Question = { password: check.password, hash: check.hash };
      try {
        this.#thread ??= this.#start();
        this.#running = check;
        this.#thread.ref();
        this.#thread.postMessage(question);
        return;
      } catch (error) {
        this.#running = null;
        check.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  #start(): Worker {
    // The name as built ends in .js, the source's in .ts.
    const file = import.meta.url.endsWith('.ts') ? './verify-thread.ts' : './verify-thread.js';
    const thread = new Worker(new URL(file, import.meta.url), {
      name: 'htpasswd',
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 32 },
    });
    thread.on('message', (matches: boolean) => {
      const check = this.#running;
      this.#running = null;
      thread.unref();
      check?.resolve(matches ? 'match' : 'mismatch');
      this.#next();
    });
    thread.on('error', (error) => this.#lose(thread, error instanceof Error ? error : new Error(String(error))));
    thread.on('exit', (code) => this.#lose(thread, new Error(`the password thread ended with code ${code}`)));
    return thread;
  }

  /** Fails closed: who waits is not let in. */
  #lose(thread: Worker, error: Error): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    const running = this.#running;
    this.#running = null;
    running?.reject(error);
    for (const check of this.#waiting.splice(0)) check.reject(error);
  }
}

/** One for the process: all middlewares share its thread and its queue. */
export const passwordVerifier = new PasswordVerifier();
