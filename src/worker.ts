import cluster from 'node:cluster';
import { flushCompileCache } from 'node:module';
import type { ErrorCode } from './core/errors.ts';
import type { Explained, ExplainRequest } from './core/explain.ts';
import { type FromWorker, PROTOCOL, type ToWorker, type WorkerSettings } from './core/messages.ts';
import type { Snapshot } from './core/snapshot.ts';
import { atOnce, inSlices, type Steps } from './core/steps.ts';
import { type AccessLog, type OpenSink, openAccessLog } from './data/access-log.ts';
import { LiveChallenges } from './data/challenges.ts';
import { onTick } from './data/clock.ts';
import { connectionsThatFit } from './data/descriptors.ts';
import { explain } from './data/explain.ts';
import { FailureLog } from './data/failure-log.ts';
import { HealthView } from './data/health-view.ts';
import { LimitDesk } from './data/limits/limit-desk.ts';
import { Listener, type ListenerHost } from './data/listener.ts';
import { Runtime } from './data/runtime.ts';
import { mirrors } from './data/service/mirroring.ts';
import { SlotDesk } from './data/slots.ts';
import { LineWriter } from './line-writer.ts';
import { createLogger, type Logger } from './logger.ts';
import { openLog } from './open-log.ts';
import { VERSION } from './version.ts';

/** Milliseconds that one turn gives to the compiling of a snapshot. */
const COMPILE_SLICE_MS = 0.5;

/**
 * A worker: the data plane. It does what the primary says, in this order:
 *
 *   configure ─► snapshot (compile, swap, acknowledge) ─► listen … ─► snapshot … ─► drain ─► exit
 */
class Worker implements ListenerHost {
  #runtime: Runtime | null = null;
  /** Settles when the snapshots that came so far are compiled. Never rejects. */
  #compiling: Promise<void> = Promise.resolve();
  #log: Logger = createLogger({ level: 'ERROR', format: 'common' });
  #accessLog: AccessLog | null = null;
  readonly challenges = new LiveChallenges();
  readonly #health = new HealthView((reports) => send({ type: 'outliers', reports }));
  readonly #slots = new SlotDesk(send);
  readonly #limits = new LimitDesk(send);
  readonly #failures = new FailureLog((level, message, fields) => this.#log[level](message, fields));
  readonly #listeners = new Map<string, Listener>();
  readonly room = connectionsThatFit();
  readonly #errors: Partial<Record<ErrorCode, number>> = {};
  #requests = 0;
  #end: 'none' | 'retiring' | 'draining' = 'none';
  #drainTimer: NodeJS.Timeout | null = null;
  #exiting = false;

  receive(message: ToWorker, handle: unknown): void {
    switch (message.type) {
      case 'configure':
        this.#configure(message.settings);
        break;
      case 'snapshot':
        this.#take(message.snapshot);
        break;
      case 'listen':
        this.#listen(message.entryPoint, handle);
        break;
      case 'challenges':
        this.challenges.take(message.challenges);
        send({ type: 'challenged', revision: message.challenges.revision });
        break;
      case 'health':
        this.#health.take(message.table);
        break;
      case 'drain':
        this.#drain(message.acceptMs, message.graceMs);
        break;
      case 'retire':
        this.#retire(message.graceMs);
        break;
      case 'explain':
        send({ type: 'explained', id: message.id, answer: this.#explain(message.request) });
        break;
      case 'neighbour':
        this.#listeners.get(message.entryPoint)?.neighbour(message.worker, message.counts);
        break;
      case 'neighbour-gone':
        for (const listener of this.#listeners.values()) listener.neighbourGone(message.worker);
        break;
      case 'recount':
        for (const listener of this.#listeners.values()) listener.recount();
        break;
      case 'slot':
        this.#slots.receive(message.id, message.url, message.retryAfterS);
        break;
      case 'permit':
      case 'tokens':
      case 'breaker-open':
        this.#limits.receive(message);
        break;
      case 'reopen':
        this.#accessLog?.reopen();
        this.#log.reopen();
        break;
    }
  }

  runtime(entryPoint: string): ReturnType<ListenerHost['runtime']> {
    const runtime = this.#runtime?.entryPoint(entryPoint);
    if (runtime === undefined) throw new Error(`the snapshot has no entry point ${entryPoint}`);
    return runtime;
  }

  readonly finished: ListenerHost['finished'] = (exchange) => {
    this.#requests++;
    const told = this.#accessLog?.exchange(exchange) ?? false;
    const { error } = exchange;
    if (error === null) return;
    this.#errors[error.code] = (this.#errors[error.code] ?? 0) + 1;
    if (!told) this.#failures.exchange(exchange, error);
  };

  readonly refused: ListenerHost['refused'] = (entryPoint, peer, error, status) => {
    this.#requests++;
    this.#errors[error.code] = (this.#errors[error.code] ?? 0) + 1;
    const wanted = this.runtime(entryPoint).config.accessLogs;
    const told = wanted && (this.#accessLog?.refused(entryPoint, peer, error, status) ?? false);
    if (!told) this.#failures.refused(entryPoint, peer, error, status);
  };

  get held(): number {
    let held = 0;
    for (const listener of this.#listeners.values()) held += listener.size;
    return held;
  }

  turnedAway(code: ErrorCode): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
  }

  deaf(entryPoint: string, code: string): void {
    send({ type: 'deaf', entryPoint, code });
  }

  readonly log: ListenerHost['log'] = (level, message, fields) => this.#log[level](message, fields);

  #configure(settings: WorkerSettings): void {
    this.#log = createLogger(settings.log);
    const { accessLog } = settings;
    if (accessLog !== undefined) this.#accessLog = openAccessLog(accessLog, this.log, openSink);
  }

  /** Snapshots are compiled one after another. The first one at once: nobody is served before. */
  #take(snapshot: Snapshot): void {
    if (this.#runtime !== null) {
      this.#compiling = this.#compiling.then(() => this.#compile(snapshot));
      return;
    }
    try {
      this.#serve(snapshot, atOnce(this.#steps(snapshot)));
    } catch (error) {
      this.#refuse(snapshot, error);
    }
  }

  /** A little in each turn: requests do not wait for all of it. */
  async #compile(snapshot: Snapshot): Promise<void> {
    try {
      this.#serve(snapshot, await inSlices(this.#steps(snapshot), COMPILE_SLICE_MS));
    } catch (error) {
      this.#refuse(snapshot, error);
    }
  }

  #steps(snapshot: Snapshot): Steps<Runtime> {
    return Runtime.compile(snapshot, this.#runtime, this.log, this.challenges, this.#slots, this.#limits);
  }

  #serve(snapshot: Snapshot, runtime: Runtime): void {
    const previous = this.#runtime;
    this.#runtime = runtime;
    this.#health.attach(runtime.services, snapshot);
    for (const listener of this.#listeners.values()) listener.refresh();
    previous?.services.retire(runtime.services);
    send({ type: 'applied', version: snapshot.version, problems: runtime.problems });
  }

  /** The previous runtime goes on serving; the primary says what went wrong. */
  #refuse(snapshot: Snapshot, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#log.error(`version ${snapshot.version} cannot be served: ${reason}`, { error });
    send({ type: 'refused', version: snapshot.version, reason });
  }

  #explain(request: ExplainRequest): Explained | string {
    if (this.#runtime === null) return 'it has no snapshot yet';
    try {
      return explain(this.#runtime, request);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #listen(entryPoint: string, handle: unknown): void {
    const listener = new Listener(entryPoint, this);
    this.#listeners.set(entryPoint, listener);
    listener.listen(handle, () => send({ type: 'listening', entryPoint }));
  }

  /** No haste: a client learns with its next answer that the connection ends, and what is long may go on for long. */
  #retire(graceMs: number): void {
    if (this.#end !== 'none') return;
    this.#end = 'retiring';
    for (const listener of this.#listeners.values()) listener.retire();
    this.#exitWhenDone(graceMs);
  }

  #drain(acceptMs: number, graceMs: number): void {
    if (this.#end === 'draining') {
      this.#cut();
      return;
    }
    this.#end = 'draining';
    for (const listener of this.#listeners.values()) listener.stopKeepingAlive();
    this.#drainTimer = setTimeout(() => {
      for (const listener of this.#listeners.values()) listener.drain();
      this.#exitWhenDone(graceMs);
    }, acceptMs);
  }

  #exitWhenDone(graceMs: number): void {
    setTimeout(() => this.#cut(), graceMs);
    const check = setInterval(() => {
      for (const listener of this.#listeners.values()) if (listener.size > 0) return;
      clearInterval(check);
      this.#exit();
    }, 20);
  }

  #cut(): void {
    if (this.#drainTimer !== null) clearTimeout(this.#drainTimer);
    for (const listener of this.#listeners.values()) listener.destroy();
    setTimeout(() => this.#exit(), 20);
  }

  #exit(): void {
    if (this.#exiting) return;
    this.#exiting = true;
    this.#runtime?.services.closeAll();
    const done = (): void => {
      this.report();
      send({ type: 'drained' });
      // The channel carries the message out before it closes; nothing else keeps the process.
      if (process.connected) process.disconnect?.();
      setTimeout(() => process.exit(0), 1_000).unref();
    };
    if (this.#accessLog === null) done();
    else this.#accessLog.close(done);
  }

  /** Called each time the coarse clock advances. */
  tick(now: number): void {
    this.#runtime?.services.tick(now);
    this.#health.tick(now);
    this.#slots.tick();
  }

  /** An exception that nobody caught: what is under way finishes, no new connection comes, the primary makes another worker. */
  crash(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error(`uncaught exception, this worker drains and is replaced: ${text}`);
    if (this.#end !== 'none') return;
    setTimeout(() => process.exit(1), 10_000);
    this.#end = 'draining';
    for (const listener of this.#listeners.values()) listener.drain();
    setInterval(() => {
      for (const listener of this.#listeners.values()) if (listener.size > 0) return;
      process.exit(1);
    }, 20);
  }

  /** The process ends: what that cuts is told apart from what was complete. */
  cut(): void {
    for (const listener of this.#listeners.values()) listener.destroy();
  }

  /** The other workers count with these. */
  tellConnections(): void {
    for (const [entryPoint, listener] of this.#listeners) {
      const counts = listener.connectionChanges();
      if (counts !== null) send({ type: 'connections', entryPoint, counts });
    }
  }

  report(): void {
    let connections = 0;
    for (const listener of this.#listeners.values()) connections += listener.size;
    send({
      type: 'report',
      report: {
        requests: this.#requests,
        connections,
        errors: { ...this.#errors },
        retries: this.#runtime?.services.retries ?? {},
        mirrorsDropped: mirrors.dropped,
        streams: this.#runtime?.services.streams ?? {},
        accessLogDropped: this.#accessLog?.dropped ?? 0,
        logDropped: this.#log.dropped,
      },
    });
  }
}

const openSink: OpenSink = (path, bufferingSize, warn) =>
  new LineWriter({ path, open: () => openLog(path, 'accessLog.filePath'), bufferingSize, flushMs: 200, warn });

function send(message: FromWorker): void {
  // What cannot be sent has nobody to go to: the end of the channel follows.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

if (cluster.isPrimary) throw new Error('worker.ts is started by the primary');
const worker = new Worker();
process.on('message', (message: ToWorker, handle: unknown) => worker.receive(message, handle));
// Without its primary a worker has nobody to hand its entry points on to.
process.on('disconnect', () => process.exit(0));
process.on('exit', () => worker.cut());
process.on('uncaughtException', (error) => worker.crash(error));
process.on('unhandledRejection', (error) => worker.crash(error));
// The primary decides when workers stop; a terminal's Ctrl-C reaches the whole group.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => {});
onTick((now) => worker.tick(now));
setInterval(() => worker.report(), 1_000).unref();
setInterval(() => worker.tellConnections(), 100).unref();
// What was compiled at the first start helps the next; a worker may end by a signal, with no time for it.
flushCompileCache();
send({ type: 'ready', code: VERSION, protocol: PROTOCOL });
