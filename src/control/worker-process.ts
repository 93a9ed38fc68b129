import type { Worker } from 'node:cluster';
import type { Explained, ExplainRequest } from '../core/explain.ts';
import type { FromWorker, Report, ToWorker } from '../core/messages.ts';

/** `starting` until it serves every entry point; `draining` once it takes no more. */
export type WorkerState = 'starting' | 'serving' | 'draining';

/** One worker as the primary sees it. */
export class WorkerProcess {
  readonly id: number;
  readonly pid: number;
  readonly startedAt = Date.now();
  state: WorkerState = 'starting';
  /** The version of the code it runs; empty until it said so. */
  code = '';
  /** Version of the snapshot it serves; 0 = none yet. */
  applied = 0;
  /** Entry points it listens on. */
  listening = 0;
  /** The revision of the ACME challenges that it knows. */
  challenged = 0;
  report: Report | null = null;
  /** performance.now() when it was forked, and when it was last heard; later by what the primary did not run for. */
  forkedAt = performance.now();
  heardAt = performance.now();
  /** Why it was ended on purpose, for the log. */
  endedFor: string | null = null;
  readonly #worker: Worker;
  readonly #questions = new Map<number, (answer: Explained | string | null) => void>();
  #asked = 0;

  constructor(worker: Worker) {
    this.#worker = worker;
    this.id = worker.id;
    this.pid = worker.process.pid ?? 0;
  }

  on(receive: (message: FromWorker) => void, exited: (code: number | null, signal: string | null) => void): void {
    this.#worker.on('message', (message: FromWorker) => {
      this.heardAt = performance.now();
      if (message.type === 'explained') this.#questions.get(message.id)?.(message.answer);
      receive(message);
    });
    this.#worker.once('exit', exited);
  }

  /** @param onError the channel broke; the exit follows */
  onChannelError(onError: (error: Error) => void): void {
    this.#worker.on('error', onError);
  }

  /** @param handle a listening socket, with `listen` */
  send(message: ToWorker, handle?: object): void {
    if (this.#worker.isConnected()) this.#worker.send(message, handle as never);
  }

  /**
   * Asks what would become of a request.
   * @returns null where it does not answer in time, a message where it cannot
   */
  explain(request: ExplainRequest, timeoutMs: number): Promise<Explained | string | null> {
    const id = ++this.#asked;
    return new Promise((resolve) => {
      const done = (answer: Explained | string | null): void => {
        clearTimeout(timer);
        this.#questions.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(() => done(null), timeoutMs);
      this.#questions.set(id, done);
      this.send({ type: 'explain', id, request });
    });
  }

  /** SIGKILL: it may not answer to anything else. */
  kill(why: string): void {
    this.endedFor ??= why;
    this.#worker.process.kill('SIGKILL');
  }
}
