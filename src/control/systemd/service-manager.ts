import { spawn } from 'node:child_process';

type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string) => void;

/** Sends one message to the service manager; resolves when it was taken, or with what went wrong. Never rejects. */
export type Notify = (assignments: readonly string[]) => Promise<string | null>;

type State = 'starting' | 'ready' | 'reloading' | 'stopping';

const RETRY_MS = 2_000;
const REFRESH_MS = 2_000;

/**
 * Tells systemd how the proxy is (sd_notify(3)): ready, reloading, stopping, a line of status, and that it is alive.
 * Started by anything else (no NOTIFY_SOCKET) it does nothing.
 *
 * One message is under way at a time, since each is a process of its own and two could arrive in the wrong order. What is
 * kept meanwhile is the latest state alone: a reload that is over before it could be told of is not told of.
 */
export class ServiceManager {
  readonly #notify: Notify | null;
  readonly #log: Log;
  readonly #watchdogMs: number;
  #describe: () => string = () => '';
  #refresh: NodeJS.Timeout | null = null;
  #state: State = 'starting';
  #status = '';
  #reloadingSince = 0n;
  #told: { state: State; status: string } = { state: 'starting', status: '' };
  #beat = false;
  #watchdog: NodeJS.Timeout | null = null;
  #retry: NodeJS.Timeout | null = null;
  #busy: Promise<void> | null = null;
  #complained = false;

  /** @param notify how a message is sent; absent: by systemd's own program */
  constructor(env: NodeJS.ProcessEnv, log: Log, notify?: Notify) {
    const socket = env.NOTIFY_SOCKET;
    this.#notify = socket === undefined || socket === '' ? null : (notify ?? viaSystemdNotify(socket));
    this.#log = log;
    this.#watchdogMs = watchdogInterval(env);
    // Children do not speak for the service.
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  }

  /** False: nobody asked to be told. */
  get present(): boolean {
    return this.#notify !== null;
  }

  /**
   * Every entry point is served.
   * @param describe one line for `systemctl status`, asked for again and again
   * @param healthy asked before each sign of life: the event loop turns, or it could not be asked; the rest is for the caller
   */
  ready(describe: () => string, healthy: () => boolean): void {
    this.#describe = describe;
    this.#become('ready', describe());
    if (this.#notify === null || this.#refresh !== null) return;
    this.#refresh = setInterval(() => {
      if (this.#state === 'ready') this.#become('ready', describe());
    }, REFRESH_MS).unref();
    if (this.#watchdogMs === 0) return;
    this.#watchdog = setInterval(() => {
      if (!healthy()) return;
      this.#beat = true;
      this.#flush();
    }, this.#watchdogMs / 2).unref();
  }

  /** Files are read again. Ended by `reloaded`. */
  reloading(): void {
    if (this.#state !== 'ready') return;
    this.#reloadingSince = process.hrtime.bigint();
    this.#become('reloading', 'reloading');
  }

  reloaded(): void {
    if (this.#state === 'reloading') this.#become('ready', this.#describe());
  }

  /** Resolves when the manager knows (or cannot be told): a start elsewhere may wait for it. */
  async stopping(status: string): Promise<void> {
    this.#become('stopping', status);
    await this.#busy;
  }

  /** Sends nothing from now on. */
  close(): void {
    if (this.#refresh !== null) clearInterval(this.#refresh);
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#watchdog = null;
    this.#retry = null;
  }

  #become(state: State, status: string): void {
    this.#state = state;
    this.#status = status.replace(/[\r\n]+/g, ' ');
    this.#flush();
  }

  #flush(): void {
    if (this.#notify === null || this.#busy !== null) return;
    if (this.#pending().length === 0) return;
    this.#busy = this.#send(this.#notify).finally(() => {
      this.#busy = null;
    });
  }

  async #send(notify: Notify): Promise<void> {
    for (let message = this.#pending(); message.length > 0; message = this.#pending()) {
      const next = { state: this.#state, status: this.#status };
      const beat = this.#beat;
      this.#beat = false;
      const problem = await notify(message);
      if (problem === null) {
        this.#told = next;
        this.#complained = false;
        continue;
      }
      if (!this.#complained) this.#log('warn', `systemd was not told (${message.join(' ')}): ${problem}`);
      this.#complained = true;
      this.#beat ||= beat;
      this.#retry ??= setTimeout(() => {
        this.#retry = null;
        this.#flush();
      }, RETRY_MS).unref();
      return;
    }
  }

  /** What the manager does not know yet. */
  #pending(): string[] {
    const out: string[] = [];
    if (this.#state === 'starting') return out;
    if (this.#state !== this.#told.state) {
      if (this.#state === 'ready') out.push('READY=1');
      if (this.#state === 'stopping') out.push('STOPPING=1');
      if (this.#state === 'reloading') out.push('RELOADING=1', `MONOTONIC_USEC=${this.#reloadingSince / 1000n}`);
    }
    if (this.#status !== this.#told.status) out.push(`STATUS=${this.#status}`);
    if (this.#beat) out.push('WATCHDOG=1');
    return out;
  }
}

/** Milliseconds within which the manager wants a sign of life; 0: it wants none. */
function watchdogInterval(env: NodeJS.ProcessEnv): number {
  const micros = Number(env.WATCHDOG_USEC ?? 0);
  const pid = env.WATCHDOG_PID ?? '';
  if (!Number.isFinite(micros) || micros <= 0) return 0;
  return pid === '' || Number(pid) === process.pid ? micros / 1000 : 0;
}

/** `systemd-notify` itself waits this long for the manager. */
const NOTIFY_TIMEOUT_MS = 6_000;

/**
 * Node has no datagram sockets of the unix family, so systemd's program sends. It stays until the manager has taken the
 * message (BARRIER=1): one that is gone by then belongs to no unit, and is ignored. The unit needs NotifyAccess=all.
 */
function viaSystemdNotify(socket: string): Notify {
  return (assignments) =>
    new Promise((resolve) => {
      const child = spawn('systemd-notify', [...assignments], {
        env: { PATH: process.env.PATH ?? '/usr/bin:/bin', NOTIFY_SOCKET: socket },
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: NOTIFY_TIMEOUT_MS,
        killSignal: 'SIGKILL',
      });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        if (said.length < 500) said += text;
      });
      child.once('error', (error) =>
        resolve('code' in error && error.code === 'ENOENT' ? 'there is no program systemd-notify' : error.message),
      );
      child.once('close', (code, signal) =>
        resolve(code === 0 ? null : `systemd-notify: ${said.trim() || `exit code ${code ?? signal}`}`),
      );
    });
}
