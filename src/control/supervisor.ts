import cluster from 'node:cluster';
import type { Explained, ExplainRequest } from '../core/explain.ts';
import type { HealthTable, OutlierReport } from '../core/health.ts';
import {
  type Challenges,
  type FromWorker,
  PROTOCOL,
  type Report,
  type ToWorker,
  type WorkerSettings,
} from '../core/messages.ts';
import { OperatorError } from '../core/operator-error.ts';
import type { EntryPointSnapshot, Snapshot } from '../core/snapshot.ts';
import { LimitBook } from './limits/limit-book.ts';
import { type BindError, bindError, bindSocket, type ListeningSocket } from './listening-sockets.ts';
import { opensslArguments } from './openssl-config.ts';
import { addReports, EMPTY_REPORT } from './report-sum.ts';
import { RequestRate } from './request-rate.ts';
import { SlotBook } from './slots/slot-book.ts';
import { WorkerProcess, type WorkerState } from './worker-process.ts';

export type SupervisorLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void;

export interface SupervisorOptions {
  readonly workers: number;
  readonly settings: WorkerSettings;
  /** Path of worker.ts, or of what it was compiled to; read anew at each start of a worker. */
  readonly exec: string;
  readonly log: SupervisorLog;
  /** Workers saw servers fail. */
  readonly outliers?: (reports: readonly OutlierReport[]) => void;
  /** A worker that was not heard for so long hangs, and is replaced. Milliseconds; 6,000 unless told. */
  readonly silenceMs?: number;
  /** How long a worker may take from its start until it serves. Milliseconds; 30,000 unless told. */
  readonly startMs?: number;
}

/** What workers made of a snapshot. */
export interface PublishResult {
  readonly version: number;
  /** Workers that serve it. 0 with refusals: the snapshot before it is served by all. */
  readonly applied: number;
  /** Why workers did not take it, each reason once. With any of these it was taken back from the others. */
  readonly refused: readonly string[];
  /** What single workers could not compile; the same in all, so each line stands once. */
  readonly problems: readonly string[];
}

/** What a rolling restart came to. */
export interface RestartResult {
  readonly replaced: number;
  /** Why it was broken off; those not yet replaced go on serving. */
  readonly problem?: string;
}

/** One worker, for status. */
export interface WorkerStatus {
  readonly pid: number;
  readonly state: WorkerState;
  /** Of the snapshot it serves. */
  readonly version: number;
  /** Of the code it runs. */
  readonly code: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly requests: number;
  readonly connections: number;
}

/** A worker that lived less than this has failed to start. */
const EARLY_DEATH_MS = 5_000;
const MAX_BACKOFF_MS = 30_000;
/** A worker that takes longer to answer must not hold up every certificate. */
const CHALLENGE_TIMEOUT_MS = 5_000;
const EXPLAIN_TIMEOUT_MS = 5_000;
const SILENCE_MS = 6_000;
const START_MS = 30_000;
const CHECK_EVERY_MS = 500;
/** What a drain may take beyond the time given, before it is ended by force. */
const DRAIN_MARGIN_MS = 700;
/** Retired workers that may go on with what is under way, for each worker that serves. */
const MAX_DRAINING = 2;

/**
 * Keeps the workers: forks, feeds, replaces, drains them. It holds the listening sockets, so that the death of every worker
 * at once refuses no connection. The one place that knows `node:cluster`.
 *
 * ```
 *   fork ─► ready ─► configure, snapshot ─► applied ─► listen … ─► serving ─► drain ─► exit
 *                                                                   │ silent for 6 s, or died: another is forked,
 *                                                                   └ later and later where none lives long
 * ```
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #members = new Map<number, WorkerProcess>();
  readonly #sockets = new Map<string, ListeningSocket>();
  readonly #waiters = new Set<() => void>();
  readonly #refusals = new Map<number, string>();
  readonly #rate = new RequestRate();
  readonly #slots = new SlotBook((worker, message) => this.#members.get(worker)?.send(message));
  readonly #limits = new LimitBook(
    (worker, message) => this.#members.get(worker)?.send(message),
    (worker, message) => {
      for (const [id, other] of this.#members) if (id !== worker) other.send(message);
    },
  );
  /** Of workers that are gone. */
  #gone = EMPTY_REPORT;
  readonly #checks: NodeJS.Timeout;
  #checkedAt = performance.now();
  #snapshot: Snapshot | null = null;
  #challenges: Challenges | null = null;
  #health: HealthTable | null = null;
  #stopping = false;
  #restarting = false;
  /** The old worker whose successor is starting. */
  #replacing: WorkerProcess | null = null;
  #earlyDeaths = 0;
  #respawns = 0;
  /** When the next worker starts after deaths in a row; milliseconds since the epoch. */
  #retryAt = 0;
  #lastDeath: string | null = null;
  #lastProblems: readonly string[] = [];
  #deaf: BindError | null = null;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const execArgv = [...process.execArgv, ...opensslArguments(process.env, process.execArgv)];
    cluster.setupPrimary({ exec: options.exec, args: [], execArgv, serialization: 'advanced' });
    this.#checks = setInterval(() => this.#check(), CHECK_EVERY_MS).unref();
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

  /** Starts the processes of the workers, which takes a while: what they are to serve is read meanwhile. */
  prepare(): void {
    for (let i = 0; i < this.#options.workers; i++) this.#fork();
  }

  /** Starts the workers on a first snapshot; resolves when every entry point is served by at least one of them. */
  async start(snapshot: Snapshot): Promise<void> {
    this.#snapshot = snapshot;
    this.#slots.apply(snapshot);
    if (this.#members.size === 0) this.prepare();
    for (const member of this.#members.values()) if (member.code !== '') member.send({ type: 'snapshot', snapshot });
    await this.#until(() => this.#deaf !== null || this.#stopping || this.serving > 0);
    if (this.#deaf !== null) {
      const error = this.#deaf;
      await this.stop(0, 0);
      throw error;
    }
  }

  /**
   * Hands a snapshot to all workers; resolves when each has answered (or is gone). Where one refuses it, it is taken back
   * from all: no request may depend on which worker it meets.
   */
  async publish(snapshot: Snapshot): Promise<PublishResult> {
    const before = this.#snapshot;
    await this.#hand(snapshot);
    const refused = [...new Set(this.#refusals.values())];
    const problems = this.#lastProblems;
    const { version } = snapshot;
    if (refused.length === 0) {
      return { version, applied: this.#count((m) => m.applied === version), refused, problems };
    }
    if (before !== null) await this.#hand(before);
    return { version, applied: 0, refused, problems };
  }

  async #hand(snapshot: Snapshot): Promise<void> {
    const { version } = snapshot;
    this.#snapshot = snapshot;
    this.#slots.apply(snapshot);
    this.#refusals.clear();
    this.#lastProblems = [];
    for (const member of this.#members.values()) {
      // One that is starting is handed the newest when it asks; one that has it already need not be told.
      if (member.code !== '' && member.applied !== version) member.send({ type: 'snapshot', snapshot });
    }
    await this.#until(() =>
      [...this.#members.values()].every(
        (m) => m.state === 'draining' || m.applied === version || this.#refusals.has(m.id),
      ),
    );
  }

  /** Hands what is known of the servers to all workers; one that starts later gets it before it listens. */
  health(table: HealthTable): void {
    this.#health = table;
    this.tell({ type: 'health', table });
  }

  /**
   * Tells all workers which ACME challenges are under way; a worker that starts later is told before it listens. Resolves
   * when each has said that it knows (or is gone), so that the authority may come.
   */
  async challenge(challenges: Challenges): Promise<void> {
    this.#challenges = challenges;
    for (const member of this.#members.values()) member.send({ type: 'challenges', challenges });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, CHALLENGE_TIMEOUT_MS);
    const owing = (): WorkerProcess[] =>
      [...this.#members.values()].filter((m) => m.state === 'serving' && m.challenged < challenges.revision);
    await this.#until(() => late || owing().length === 0);
    clearTimeout(timer);
    for (const { pid } of owing()) {
      this.#options.log('warn', `worker ${pid} has not taken the ACME challenges within ${CHALLENGE_TIMEOUT_MS} ms`);
    }
  }

  /**
   * Replaces worker after worker: a new one must serve before the old one drains. The code is read from disk anew.
   *
   * @param graceMs how long an old worker may finish what is under way
   */
  async restart(graceMs: number): Promise<RestartResult> {
    if (this.#restarting) return { replaced: 0, problem: 'a restart of the workers is under way already' };
    if (this.#stopping) return { replaced: 0, problem: 'the proxy is stopping' };
    this.#restarting = true;
    let replaced = 0;
    try {
      for (const old of [...this.#members.values()].filter((m) => m.state !== 'draining')) {
        if (!this.#members.has(old.id)) continue;
        const problem = await this.#replace(old, graceMs);
        if (problem !== null) return { replaced, problem };
        replaced++;
      }
      return { replaced };
    } finally {
      this.#restarting = false;
    }
  }

  /** @returns why the new one does not serve; the old one then stays */
  async #replace(old: WorkerProcess, graceMs: number): Promise<string | null> {
    const next = this.#fork(true);
    this.#replacing = old;
    await this.#until(() => !this.#members.has(next.id) || next.state === 'serving' || this.#stopping);
    this.#replacing = null;
    if (this.#stopping) return 'the proxy is stopping';
    if (next.state !== 'serving') {
      if (!this.#members.has(old.id)) this.#fork();
      return `the new worker ${next.pid} did not come up: ${next.endedFor ?? this.#lastDeath ?? 'it died'}; the old ones go on serving`;
    }
    this.#drain(old, graceMs);
    return null;
  }

  #drain(member: WorkerProcess, graceMs: number): void {
    if (!this.#members.has(member.id) || member.state === 'draining') return;
    // Long streams may hold many generations of workers: the oldest give way.
    const draining = [...this.#members.values()].filter((m) => m.state === 'draining');
    for (const oldest of draining.slice(0, Math.max(0, draining.length + 1 - MAX_DRAINING * this.#options.workers))) {
      oldest.send({ type: 'drain', acceptMs: 0, graceMs: 0 });
    }
    member.state = 'draining';
    member.send({ type: 'retire', graceMs });
    setTimeout(() => {
      if (this.#members.has(member.id)) member.kill('it did not end when it was drained');
    }, graceMs + DRAIN_MARGIN_MS).unref();
  }

  /** The workers there are, for status. */
  get workers(): readonly WorkerStatus[] {
    return [...this.#members.values()].map((m) => ({
      pid: m.pid,
      state: m.state,
      version: m.applied,
      code: m.code,
      startedAt: m.startedAt,
      requests: m.report?.requests ?? 0,
      connections: m.report?.connections ?? 0,
    }));
  }

  /** Places at servers that have a limit, by service. */
  get slots(): SlotBook['status'] {
    return this.#slots.status;
  }

  /** Workers that serve every entry point. */
  get serving(): number {
    return this.#count((m) => m.state === 'serving');
  }

  /** Workers that serve and were heard of lately. */
  get healthy(): number {
    const now = performance.now();
    return this.#count((m) => m.state === 'serving' && now - m.heardAt < this.#silenceMs);
  }

  /** How many workers were replaced because they died, the last death, and when another start is tried (0 = none waits). */
  get deaths(): { readonly respawns: number; readonly last: string | null; readonly retryAt: number } {
    return { respawns: this.#respawns, last: this.#lastDeath, retryAt: this.#retryAt };
  }

  /** What all workers report since the start, those that are gone among them. */
  get report(): Report {
    let sum = this.#gone;
    for (const { report } of this.#members.values()) if (report !== null) sum = addReports(sum, report);
    return sum;
  }

  /** Requests a second, of late. */
  get requestsPerSecond(): number {
    return this.#rate.perSecond;
  }

  get #requests(): number {
    let total = this.#gone.requests;
    for (const { report } of this.#members.values()) total += report?.requests ?? 0;
    return total;
  }

  /**
   * Asks a worker that serves what would become of a request.
   * @throws OperatorError where none answers
   */
  async explain(request: ExplainRequest): Promise<Explained> {
    const serving = [...this.#members.values()].filter((m) => m.state === 'serving');
    // Who was heard last is the least likely to hang.
    serving.sort((a, b) => b.heardAt - a.heardAt);
    for (const member of serving.slice(0, 2)) {
      const answer = await member.explain(request, EXPLAIN_TIMEOUT_MS);
      if (typeof answer === 'string') throw new OperatorError(`worker ${member.pid} cannot tell: ${answer}`);
      if (answer !== null) return answer;
    }
    throw new OperatorError(serving.length === 0 ? 'no worker serves at the moment' : 'the workers do not answer');
  }

  /** Passes a word to all workers. */
  tell(message: ToWorker): void {
    for (const member of this.#members.values()) member.send(message);
  }

  /**
   * Drains all workers and closes the sockets; resolves when the last worker is gone. Called again, it cuts at
   * once.
   * @param acceptMs go on accepting for that long
   * @param graceMs then finish what is under way, for that long at most
   */
  async stop(acceptMs: number, graceMs: number): Promise<void> {
    const again = this.#stopping;
    this.#stopping = true;
    clearInterval(this.#checks);
    for (const member of this.#members.values()) {
      member.state = 'draining';
      member.send({ type: 'drain', acceptMs: again ? 0 : acceptMs, graceMs: again ? 0 : graceMs });
    }
    this.#wake();
    if (again) {
      // Who does not even answer to that has no claim to the rest of its time.
      const kill = setTimeout(() => this.#killAll('it did not end when it was cut'), DRAIN_MARGIN_MS);
      // Nor may it be left behind: it would keep the listening sockets.
      await this.#until(() => this.#members.size === 0);
      clearTimeout(kill);
      return;
    }
    // Not before the workers stop accepting: until then connections may come.
    const closing = setTimeout(() => this.#closeSockets(), acceptMs);
    const kill = setTimeout(
      () => this.#killAll('it did not end when it was drained'),
      acceptMs + graceMs + DRAIN_MARGIN_MS,
    );
    await this.#until(() => this.#members.size === 0);
    clearTimeout(closing);
    clearTimeout(kill);
    this.#closeSockets();
  }

  /**
   * For the end of this process: workers that serve end themselves once it is gone, and write out what they hold. Those that
   * are starting would meet a closed channel before any code of ours runs in them, and print where.
   */
  endStarting(): void {
    for (const member of this.#members.values()) if (member.state === 'starting') member.kill('the primary ends');
  }

  #killAll(why: string): void {
    for (const member of this.#members.values()) member.kill(why);
  }

  #closeSockets(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  /** @param extra in a rolling restart: its death starts no other in its place */
  #fork(extra = false): WorkerProcess {
    const worker = cluster.fork();
    const member = new WorkerProcess(worker);
    this.#members.set(member.id, member);
    this.#retryAt = 0;
    let spare = extra;
    member.on(
      (message) => {
        this.#receive(member, message);
        if (member.state === 'serving') spare = false;
      },
      (code, signal) => this.#exited(member, spare, signal ?? `exit code ${code}`),
    );
    member.onChannelError((error) => this.#options.log('warn', `worker ${member.pid}: ${error.message}`));
    return member;
  }

  #receive(member: WorkerProcess, message: FromWorker): void {
    // Node promises no order between an exit and what is left in the channel: what a dead worker held has been given back.
    if (!this.#members.has(member.id)) return;
    switch (message.type) {
      case 'ready':
        if (message.protocol !== PROTOCOL) {
          member.kill(
            `its code (${message.code}) speaks another protocol than this primary: restart the whole proxy to upgrade`,
          );
          break;
        }
        member.code = message.code;
        member.send({ type: 'configure', settings: this.#options.settings });
        if (this.#snapshot !== null) member.send({ type: 'snapshot', snapshot: this.#snapshot });
        if (this.#health !== null) member.send({ type: 'health', table: this.#health });
        if (this.#challenges !== null) member.send({ type: 'challenges', challenges: this.#challenges });
        break;
      case 'applied':
        this.#applied(member, message.version, message.problems);
        break;
      case 'refused':
        this.#refusals.set(member.id, message.reason);
        this.#options.log('error', `worker ${member.pid} keeps its configuration: ${message.reason}`);
        // One that never served has nothing to keep.
        if (member.applied === 0) member.kill(`it refused version ${message.version}: ${message.reason}`);
        break;
      case 'challenged':
        member.challenged = message.revision;
        break;
      case 'listening':
        member.listening++;
        if (member.state === 'starting' && member.listening >= this.#sockets.size) member.state = 'serving';
        this.#tellOthers(member, { type: 'recount' });
        break;
      case 'connections':
        this.#tellOthers(member, { ...message, type: 'neighbour', worker: member.id });
        return;
      case 'deaf': {
        // Two processes may bind an address; who listens second is told only then.
        const at = this.#snapshot?.entryPoints[message.entryPoint];
        this.#deaf ??= bindError(message.entryPoint, at?.host ?? '', at?.port ?? 0, message.code);
        break;
      }
      case 'explained':
        // Whoever asked has it.
        break;
      case 'report':
        member.report = message.report;
        break;
      case 'outliers':
        this.#options.outliers?.(message.reports);
        break;
      case 'slot-request':
      case 'slot-among':
      case 'slot-release':
        this.#slots.receive(member.id, message);
        return;
      case 'permit-request':
      case 'permit-release':
      case 'tokens-request':
      case 'tokens-return':
      case 'breaker-open':
        this.#limits.receive(member.id, message);
        return;
      case 'drained':
        break;
    }
    this.#wake();
  }

  #applied(member: WorkerProcess, version: number, problems: readonly string[]): void {
    const first = member.applied === 0;
    member.applied = version;
    this.#lastProblems = problems;
    if (!first || member.state !== 'starting') return;
    this.#limits.arrived(member.id);
    for (const [entryPoint, socket] of this.#sockets) member.send({ type: 'listen', entryPoint }, socket.handle);
    if (this.#sockets.size === 0) member.state = 'serving';
  }

  #tellOthers(member: WorkerProcess, message: ToWorker): void {
    for (const other of this.#members.values()) if (other !== member) other.send(message);
  }

  #exited(member: WorkerProcess, spare: boolean, how: string): void {
    this.#members.delete(member.id);
    this.#tellOthers(member, { type: 'neighbour-gone', worker: member.id });
    this.#refusals.delete(member.id);
    this.#slots.gone(member.id);
    this.#limits.gone(member.id);
    // Its connections are gone with it.
    if (member.report !== null) this.#gone = addReports(this.#gone, { ...member.report, connections: 0 });
    const expected = member.state === 'draining';
    if (!expected) this.#lastDeath = `worker ${member.pid}: ${member.endedFor ?? how}`;
    this.#wake();
    if (this.#stopping || (expected && member.endedFor === null)) return;
    // Its successor is starting already.
    if (expected || spare || member === this.#replacing) {
      this.#options.log('warn', `worker ${member.pid} was ended: ${member.endedFor ?? how}`);
      return;
    }
    this.#respawn(member, how);
  }

  #respawn(member: WorkerProcess, how: string): void {
    this.#respawns++;
    const lived = Date.now() - member.startedAt;
    this.#earlyDeaths = lived < EARLY_DEATH_MS ? this.#earlyDeaths + 1 : 0;
    // The first deaths are answered at once; one that goes on dying is given time.
    const delay = this.#earlyDeaths <= 2 ? 0 : Math.min(MAX_BACKOFF_MS, 100 * 2 ** (this.#earlyDeaths - 2));
    const why = member.endedFor === null ? how : `${member.endedFor}; ${how}`;
    this.#options.log(
      'error',
      `worker ${member.pid} died after ${lived} ms (${why}); a new one starts ${delay === 0 ? 'now' : `in ${delay} ms`}`,
    );
    if (delay > 0) this.#retryAt = Date.now() + delay;
    setTimeout(() => {
      if (!this.#stopping) this.#fork();
    }, delay);
  }

  /** Looks for workers that hang, and notes the rate of requests. */
  #check(): void {
    const now = performance.now();
    const late = now - this.#checkedAt;
    this.#checkedAt = now;
    this.#rate.note(this.#requests, now);
    for (const member of this.#members.values()) {
      // Who was stopped as a whole (a suspended machine) must not blame its workers.
      if (late > 2 * CHECK_EVERY_MS) {
        member.heardAt = Math.min(now, member.heardAt + late);
        member.forkedAt = Math.min(now, member.forkedAt + late);
      }
      if (member.state === 'starting') {
        // It waits for what it is to serve.
        if (this.#snapshot === null) continue;
        const startMs = this.#options.startMs ?? START_MS;
        if (now - member.forkedAt > startMs) member.kill(`it did not serve within ${startMs} ms of its start`);
      } else if (member.state === 'serving' && now - member.heardAt > this.#silenceMs) {
        member.kill(`its event loop hangs: not a word for ${Math.round(now - member.heardAt)} ms`);
      }
    }
  }

  get #silenceMs(): number {
    return this.#options.silenceMs ?? SILENCE_MS;
  }

  #count(condition: (member: WorkerProcess) => boolean): number {
    let count = 0;
    for (const member of this.#members.values()) if (condition(member)) count++;
    return count;
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
