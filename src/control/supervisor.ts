import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { Challenges, FromWorker, Report, ToWorker, WorkerSettings } from '../core/messages.ts';
import type { EntryPointSnapshot, Snapshot } from '../core/snapshot.ts';
import { type BindError, bindError, bindSocket, type ListeningSocket } from './listening-sockets.ts';

export type SupervisorLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void;

export interface SupervisorOptions {
  readonly workers: number;
  readonly settings: WorkerSettings;
  /** Path of worker.ts, or of what it was compiled to. */
  readonly exec: string;
  readonly log: SupervisorLog;
}

/** What workers made of a snapshot. */
export interface PublishResult {
  readonly version: number;
  readonly applied: number;
  /** One line for each worker that kept the previous snapshot. */
  readonly refused: readonly string[];
  /** What single workers could not compile; the same in all, so each line stands once. */
  readonly problems: readonly string[];
}

type State = 'starting' | 'serving' | 'draining';

interface Member {
  readonly worker: Worker;
  readonly startedAt: number;
  state: State;
  applied: number;
  listening: number;
  /** The revision of the ACME challenges that it knows. */
  challenged: number;
  report: Report | null;
}

/** A worker that lived less than this has failed to start. */
const EARLY_DEATH_MS = 5_000;
const MAX_BACKOFF_MS = 30_000;
/** A worker that takes longer to answer must not hold up every certificate. */
const CHALLENGE_TIMEOUT_MS = 5_000;

/**
 * Keeps the workers: forks, feeds, replaces, drains them. It holds the listening sockets, so that the death of every worker
 * at once refuses no connection. The one place that knows `node:cluster`.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #members = new Map<number, Member>();
  readonly #sockets = new Map<string, ListeningSocket>();
  readonly #waiters = new Set<() => void>();
  #snapshot: Snapshot | null = null;
  #challenges: Challenges | null = null;
  #stopping = false;
  #earlyDeaths = 0;
  #respawns = 0;
  #lastProblems: readonly string[] = [];
  #deaf: BindError | null = null;
  #refusals = new Map<number, string>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    cluster.setupPrimary({ exec: options.exec, args: [], serialization: 'advanced' });
  }

  /**
   * Binds the sockets of the entry points.
   * @param passed those that the service manager has bound already, by entry point
   * @throws BindError
   */
  bind(
    entryPoints: Readonly<Record<string, EntryPointSnapshot>>,
    passed: ReadonlyMap<string, ListeningSocket> = new Map(),
  ): void {
    for (const { name, host, port } of Object.values(entryPoints))
      this.#sockets.set(name, passed.get(name) ?? bindSocket(name, host, port));
  }

  /** Starts the workers on a first snapshot; resolves when every entry point is served by at least one of them. */
  async start(snapshot: Snapshot): Promise<void> {
    this.#snapshot = snapshot;
    for (let i = 0; i < this.#options.workers; i++) this.#fork();
    await this.#until(
      () =>
        this.#deaf !== null ||
        this.#stopping ||
        [...this.#members.values()].some((m) => m.listening === this.#sockets.size && m.state === 'serving'),
    );
    if (this.#deaf !== null) {
      const error = this.#deaf;
      await this.stop(0, 0);
      throw error;
    }
  }

  /** Hands a snapshot to all workers; resolves when each has answered (or is gone). */
  async publish(snapshot: Snapshot): Promise<PublishResult> {
    this.#snapshot = snapshot;
    this.#refusals.clear();
    this.#lastProblems = [];
    const { version } = snapshot;
    for (const member of this.#members.values()) this.#send(member, { type: 'snapshot', snapshot });
    await this.#until(() =>
      [...this.#members].every(([id, m]) => m.state === 'draining' || m.applied >= version || this.#refusals.has(id)),
    );
    const applied = [...this.#members.values()].filter((m) => m.applied >= version).length;
    return { version, applied, refused: [...this.#refusals.values()], problems: this.#lastProblems };
  }

  /**
   * Tells all workers which ACME challenges are under way; a worker that starts later is told before it listens. Resolves
   * when each has said that it knows (or is gone), so that the authority may come.
   */
  async challenge(challenges: Challenges): Promise<void> {
    this.#challenges = challenges;
    for (const member of this.#members.values()) this.#send(member, { type: 'challenges', challenges });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, CHALLENGE_TIMEOUT_MS);
    const owing = (): Member[] =>
      [...this.#members.values()].filter((m) => m.state === 'serving' && m.challenged < challenges.revision);
    await this.#until(() => late || owing().length === 0);
    clearTimeout(timer);
    for (const { worker } of owing()) {
      this.#options.log(
        'warn',
        `worker ${worker.process.pid} has not taken the ACME challenges within ${CHALLENGE_TIMEOUT_MS} ms`,
      );
    }
  }

  /** Workers by process id, for status. */
  get workers(): readonly {
    readonly pid: number;
    readonly state: State;
    readonly version: number;
    readonly report: Report | null;
  }[] {
    return [...this.#members.values()].map((m) => ({
      pid: m.worker.process.pid ?? 0,
      state: m.state,
      version: m.applied,
      report: m.report,
    }));
  }

  /** How many workers were replaced because they died. */
  get respawns(): number {
    return this.#respawns;
  }

  /** Passes a word to all workers. */
  tell(message: ToWorker): void {
    for (const member of this.#members.values()) this.#send(member, message);
  }

  /**
   * Drains all workers and closes the sockets; resolves when the last worker is gone. Called again, it cuts at once.
   * @param acceptMs go on accepting for that long
   * @param graceMs then finish what is under way, for that long at most
   */
  async stop(acceptMs: number, graceMs: number): Promise<void> {
    const again = this.#stopping;
    this.#stopping = true;
    for (const member of this.#members.values()) {
      member.state = 'draining';
      this.#send(member, { type: 'drain', acceptMs: again ? 0 : acceptMs, graceMs: again ? 0 : graceMs });
    }
    if (again) return;
    // Not before the workers stop accepting: until then connections may come.
    const closing = setTimeout(() => this.#closeSockets(), acceptMs);
    const kill = setTimeout(
      () => {
        for (const member of this.#members.values()) member.worker.process.kill('SIGKILL');
      },
      acceptMs + graceMs + 700,
    );
    await this.#until(() => this.#members.size === 0);
    clearTimeout(closing);
    clearTimeout(kill);
    this.#closeSockets();
  }

  #closeSockets(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #fork(): void {
    const worker = cluster.fork();
    const member: Member = {
      worker,
      startedAt: Date.now(),
      state: 'starting',
      applied: 0,
      listening: 0,
      challenged: 0,
      report: null,
    };
    this.#members.set(worker.id, member);
    worker.on('message', (message: FromWorker) => this.#receive(member, message));
    worker.on('error', (error) => this.#options.log('warn', `worker ${worker.process.pid}: ${error.message}`));
    void once(worker, 'exit').then(([code, signal]) =>
      this.#exited(member, code as number | null, signal as string | null),
    );
  }

  #receive(member: Member, message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.#send(member, { type: 'configure', settings: this.#options.settings });
        if (this.#snapshot !== null) this.#send(member, { type: 'snapshot', snapshot: this.#snapshot });
        if (this.#challenges !== null) this.#send(member, { type: 'challenges', challenges: this.#challenges });
        break;
      case 'applied': {
        member.applied = message.version;
        this.#lastProblems = message.problems;
        if (member.state !== 'starting') break;
        member.state = 'serving';
        for (const [entryPoint, socket] of this.#sockets) {
          member.worker.send({ type: 'listen', entryPoint } satisfies ToWorker, socket.handle as never);
        }
        break;
      }
      case 'refused':
        this.#refusals.set(member.worker.id, message.reason);
        this.#options.log('error', `worker ${member.worker.process.pid} keeps its configuration: ${message.reason}`);
        break;
      case 'challenged':
        member.challenged = message.revision;
        break;
      case 'listening':
        member.listening++;
        break;
      case 'deaf': {
        // Two processes may bind an address; who listens second is told only then.
        const at = this.#snapshot?.entryPoints[message.entryPoint];
        this.#deaf ??= bindError(message.entryPoint, at?.host ?? '', at?.port ?? 0, message.code);
        break;
      }
      case 'report':
        member.report = message.report;
        break;
      case 'drained':
        break;
    }
    this.#wake();
  }

  #exited(member: Member, code: number | null, signal: string | null): void {
    this.#members.delete(member.worker.id);
    this.#refusals.delete(member.worker.id);
    this.#wake();
    if (this.#stopping) return;
    this.#respawns++;
    const lived = Date.now() - member.startedAt;
    this.#earlyDeaths = lived < EARLY_DEATH_MS ? this.#earlyDeaths + 1 : 0;
    // The first deaths are answered at once; one that goes on dying is given time.
    const delay = this.#earlyDeaths <= 2 ? 0 : Math.min(MAX_BACKOFF_MS, 100 * 2 ** (this.#earlyDeaths - 2));
    this.#options.log(
      'error',
      `worker ${member.worker.process.pid} died after ${lived} ms (${signal ?? `exit code ${code}`}); a new one starts ${delay === 0 ? 'now' : `in ${delay} ms`}`,
    );
    setTimeout(() => {
      if (!this.#stopping) this.#fork();
    }, delay);
  }

  #send(member: Member, message: ToWorker): void {
    if (member.worker.isConnected()) member.worker.send(message);
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** Resolves when a condition on the members holds. */
  #until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const waiter = (): void => {
        if (!condition()) return;
        this.#waiters.delete(waiter);
        resolve();
      };
      this.#waiters.add(waiter);
    });
  }
}
