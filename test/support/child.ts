import { type ChildProcess, spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import { waitFor } from './wait-for.ts';

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A started server process in a process group of its own, with what it wrote. */
export interface Child {
  readonly pid: number;
  /** Standard output and error, in the order they came. */
  output(): string;
  exited(): Exit | undefined;
  /** Signal to the process itself (not to its children). */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the process has ended, and all that it said is in the output. */
  exit: Promise<Exit>;
  /** Whether others of its group were there when it had ended. They were killed. */
  leftBehind(): boolean;
  /** SIGTERM, then SIGKILL to the whole group if it takes longer than the deadline (milliseconds). */
  stop(deadlineMs?: number): Promise<Exit>;
}

/** Bounds what is kept of a talkative process. */
const MAX_OUTPUT_CHARS = 4 * 1024 * 1024;

/** Who left the group may keep the output open for ever. */
const LAST_WORDS_MS = 10_000;

const running = new Set<Child>();

/** Ends what tests left running. Call it from afterAll; the guard of {@link startChild} is the last resort. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((child) => child.stop()));
}

/**
 * Starts a command. Its group is killed when this process ends, in whatever way.
 * @param descriptors of this process, which the command gets from 3 on
 */
export function startChild(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  descriptors: readonly number[] = [],
): Child {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
    env: { ...process.env, ...env },
    detached: true,
  });
  let text = '';
  const keep = (chunk: string): void => {
    text = (text + chunk).slice(-MAX_OUTPUT_CHARS);
  };
  child.stdout!.setEncoding('utf8').on('data', keep);
  child.stderr!.setEncoding('utf8').on('data', keep);
  const guard = startGuard(child.pid);
  let ended: Exit | undefined;
  let leftBehind = false;
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const exit = whenExited(child).then(async (how) => {
    // Workers that outlived their primary would keep the ports of the next test.
    if (child.pid !== undefined) leftBehind = killGroup(child.pid);
    // The id may be given to another process from now on.
    guard?.kill('SIGKILL');
    const late = setTimeout(() => {
      child.stdout!.destroy();
      child.stderr!.destroy();
    }, LAST_WORDS_MS);
    await closed;
    clearTimeout(late);
    ended = how;
    running.delete(handle);
    return how;
  });
  const handle: Child = {
    pid: child.pid ?? -1,
    output: () => text,
    exited: () => ended,
    kill: (signal) => void child.kill(signal),
    exit,
    leftBehind: () => leftBehind,
    stop: async (deadlineMs = 15_000) => {
      if (ended !== undefined) return ended;
      child.kill('SIGTERM');
      const timer = setTimeout(() => killGroup(handle.pid), deadlineMs);
      const how = await exit;
      clearTimeout(timer);
      return how;
    },
  };
  running.add(handle);
  return handle;
}

/**
 * A shell that outlives this process and then kills the group: a test runner that is itself killed runs no exit
 * handler, and the pipe to the guard is closed all the same.
 */
function startGuard(group: number | undefined): ChildProcess | undefined {
  if (group === undefined) return undefined;
  const guard = spawn('/bin/sh', ['-c', `read -r _; kill -s KILL -- -${group} 2>/dev/null`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.stdin?.on('error', () => undefined); // the guard went first: nothing left to guard
  guard.unref();
  return guard;
}

function whenExited(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`cannot start ${child.spawnfile}`, { cause: error })));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

/** Ends every process of the group that the child led. @returns whether there was one */
function killGroup(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    return process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    return false;
  }
}

/**
 * Waits until the port accepts a connection.
 *
 * @throws Error with the captured output when the process ends first, or when the time (milliseconds) is over
 */
export async function waitUntilAccepting(child: Child, host: string, port: number, timeoutMs = 30_000): Promise<void> {
  await waitFor(
    `${host}:${port} to accept connections`,
    async () => {
      const how = child.exited();
      if (how !== undefined) return how;
      return accepts(host, port);
    },
    { timeoutMs, intervalMs: 20, describe: () => `\n${child.output()}` },
  );
  const how = child.exited();
  if (how !== undefined) {
    throw new Error(
      `the process ended (code ${how.code}, signal ${how.signal}) before ${host}:${port} accepted:\n${child.output()}`,
    );
  }
}

/** Whether something listens there. */
export function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
