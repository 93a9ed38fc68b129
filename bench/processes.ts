import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { readTree } from './measure/cpu.ts';

/** A child process the bench started. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  /** The last kilobytes of what it wrote to stderr and stdout, for error messages. */
  output(): string;
  /** True once it has ended. */
  ended(): boolean;
}

const KEPT_OUTPUT = 4_096;
const TERM_GRACE_MS = 3_000;

/** Every long-running process of one run, so that each is stopped by its pid whatever happens. */
export class Processes {
  readonly #children = new Map<number, { child: ChildProcess; exit: Promise<void> }>();
  #closed = false;

  /**
   * Starts a command, pinned to the processors that `processor` lists (as taskset has it) where it is given. taskset replaces itself by the command, so
   * the pid is the command's own and its later children inherit the processor.
   */
  start(
    name: string,
    command: string,
    args: readonly string[],
    processor: string | null,
    env: Readonly<Record<string, string>> = {},
  ): Running {
    if (this.#closed) throw new Error(`${name}: not started, the bench is stopping`);
    const [file, argv] = pinned(command, args, processor);
    const child = spawn(file, argv, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString('latin1')).slice(-KEPT_OUTPUT);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    let ended = false;
    const exit = new Promise<void>((resolve) => {
      const finish = (reason: string): void => {
        ended = true;
        output = (output + reason).slice(-KEPT_OUTPUT);
        resolve();
      };
      child.once('error', (error) => finish(`\n${error.message}`));
      child.once('exit', (code, signal) => finish(`\n(exited: ${signal ?? code})`));
    });
    const { pid } = child;
    if (pid === undefined) throw new Error(`${name}: ${file} could not be started`);
    this.#children.set(pid, { child, exit });
    return { name, pid, output: () => output.trim(), ended: () => ended };
  }

  /** Stops one process: SIGTERM, and SIGKILL to it and its descendants if it is still there after 3 s. */
  async stop(pid: number): Promise<void> {
    const entry = this.#children.get(pid);
    if (entry === undefined) return;
    this.#children.delete(pid);
    const { child, exit } = entry;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const descendants = readTree(pid).pids;
    child.kill('SIGTERM');
    const graceful = await Promise.race([exit.then(() => true), delay(TERM_GRACE_MS).then(() => false)]);
    if (graceful) return;
    child.kill('SIGKILL');
    // Only those still below the process that we started: a pid may have been given to somebody else meanwhile.
    const still = new Set(readTree(pid).pids);
    for (const descendant of descendants) if (still.has(descendant)) kill(descendant);
    await exit;
  }

  /** Stops every process; none can be started any more. */
  async stopAll(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#children.keys()].map((pid) => this.stop(pid)));
  }
}

/** Runs a short command to its end and gives its stdout. Throws with its output when it fails. */
export function runToEnd(command: string, args: readonly string[]): string {
  const done = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
  if (done.status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${done.error?.message ?? done.stderr.trim()}`);
  }
  return done.stdout + done.stderr;
}

/** Full path of a program, or null when it is not installed. Looks in the sbin folders too, where Debian puts daemons. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    const file = join(folder, name);
    if (folder !== '' && existsSync(file)) return file;
  }
  return null;
}

export function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** The command line that runs a command on the processors of a list, such as `0` or `0,1`. */
export function pinned(command: string, args: readonly string[], processor: string | null): [string, string[]] {
  if (processor === null) return [command, [...args]];
  return ['taskset', ['-c', processor, command, ...args]];
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // ESRCH: it ended by itself in between, which is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
