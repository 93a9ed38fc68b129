import { constants, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import { explainLogFile } from './core/log-file.ts';
import { OperatorError } from './core/operator-error.ts';
import { makeDirectory } from './make-directory.ts';

const STDOUT = 1;

/**
 * Opens where lines go, for the log and the access log: several processes append to one file, and a full pipe blocks nobody.
 * A directory that is missing is made, as Traefik does.
 *
 * @param path empty: standard output
 * @param setting where the path was configured, for the message
 * @throws OperatorError where the file cannot be opened; the message names it and says what to do
 */
export function openLog(path: string, setting: string): number {
  if (path === '') return openStdout();
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  const open = (): number => openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o664);
  try {
    try {
      return open();
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      makeDirectory(dirname(path), 0o755);
      return open();
    }
  } catch (error) {
    throw new OperatorError(explainLogFile(path, setting, error), { cause: error });
  }
}

/** What sets the flag of a socket that writing does not wait; it must live as long as the process. */
interface Keeper {
  readonly _handle: { setBlocking(blocking: boolean): number } | null;
}
let keeper: (Socket & Keeper) | null = null;

/**
 * To be called before a write to what {@link openLog} opened. A socket as standard output is shared with the other
 * processes as it is, and each of them that starts or ends lets it block again.
 */
export function keepFromBlocking(fd: number): void {
  if (fd === STDOUT) keeper?._handle?.setBlocking(false);
}

/**
 * Standard output, so that writing to it never waits for a reader: a process cannot exit while one of libuv's threads does.
 * A pipe or a terminal is opened anew, which leaves the way others write to it alone; a socket (systemd's journal) cannot be.
 */
function openStdout(): number {
  const stat = fstatSync(STDOUT);
  if (stat.isSocket()) {
    keeper ??= new Socket({ fd: STDOUT, readable: false, writable: true }).unref() as Socket & Keeper;
    keepFromBlocking(STDOUT);
    return STDOUT;
  }
  if (!stat.isFIFO() && !stat.isCharacterDevice()) return STDOUT;
  try {
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // No /proc, or the pipe belongs to another user: then it may block, as it does for most programs.
    return STDOUT;
  }
}
