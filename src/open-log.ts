import { constants, fstatSync, openSync } from 'node:fs';
import { explainLogFile } from './core/log-file.ts';
import { OperatorError } from './core/operator-error.ts';

const STDOUT = 1;

/**
 * Opens where lines go, for the log and the access log: several processes append to one file, and a full pipe blocks nobody.
 *
 * @param path empty: standard output
 * @param setting where the path was configured, for the message
 * @throws OperatorError where the file cannot be opened; the message names it and says what to do
 */
export function openLog(path: string, setting: string): number {
  if (path === '') return openStdout();
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  try {
    return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o664);
  } catch (error) {
    throw new OperatorError(explainLogFile(path, setting, error), { cause: error });
  }
}

/**
 * Standard output; where it is a pipe or a terminal, opened anew so that it can be written without blocking, which leaves
 * the way others write to it alone: a process cannot exit while one of libuv's threads waits for a reader.
 */
function openStdout(): number {
  const stat = fstatSync(STDOUT);
  if (!stat.isFIFO() && !stat.isCharacterDevice()) return STDOUT;
  try {
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // No /proc, or the pipe belongs to another user: then it may block, as it does for most programs.
    return STDOUT;
  }
}
