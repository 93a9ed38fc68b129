import type { Socket } from 'node:net';

/** The stream states that Node keeps, as far as they are needed here. */
interface Streams {
  readonly _readableState: { autoDestroy: boolean; errored: Error | null };
  readonly _writableState: { autoDestroy: boolean };
}

/**
 * A peer that answers early and closes resets the connection, and the next write fails. Node would destroy the socket then,
 * with the answer that lies in the kernel already. After this it does not: who owns the socket destroys it.
 */
export function keepAfterWriteError(socket: Socket): void {
  const { _readableState, _writableState } = socket as unknown as Streams;
  _readableState.autoDestroy = false;
  _writableState.autoDestroy = false;
}

/** Whether writing failed and what came before can still be read. To be called in the socket's `error` listener. */
export function canStillRead(socket: Socket, error: NodeJS.ErrnoException): boolean {
  if (socket.destroyed || error.syscall !== 'write') return false;
  const { _readableState } = socket as unknown as Streams;
  if (_readableState.autoDestroy) return false;
  // Else its end would not be told.
  _readableState.errored = null;
  return true;
}
