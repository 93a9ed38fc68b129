import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { clock } from '../../../src/data/clock.ts';
import { HeaderList } from '../../../src/data/headers/header-list.ts';
import { type Http1Service, ServerConnection } from '../../../src/data/http1/server-connection.ts';
import { turn } from '../../../src/data/turn.ts';
import { FakeSocket, PEER } from './fake-socket.ts';

const IDLE_MS = 5_000;

/** A socket whose end is told, and how it came. */
class ClosingSocket extends FakeSocket {
  reset = false;
  override destroySoon(): void {
    this.ended = true;
  }
  override resetAndDestroy(): void {
    this.reset = true;
    this.destroy();
  }
}

const service: Http1Service = {
  entryPoint: 'web',
  limits: { maxHeadBytes: 16_384, maxLineBytes: 8_192, maxFields: 100 },
  lifetime: { maxRequests: 0, maxAgeMs: 0 },
  timeouts: { headerMs: 0, bodyIdleMs: IDLE_MS, keepAliveMs: 0 },
  sanitizePath: false,
  underscoreHeaders: 'keep',
  refusedEncodings: [],
  draining: false,
  finished: () => undefined,
  refused: () => undefined,
  dispatch: (exchange) => exchange.reply(200, HeaderList.of(), 'x'.repeat(100)),
};

const { now } = clock;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  clock.now = now;
});

/** A connection whose last response is written, with `pending` bytes that the client has not taken. */
function closing(pending: number) {
  const socket = new ClosingSocket();
  const connection = new ServerConnection(socket as unknown as Socket, PEER, service, () => undefined);
  socket.writableLength = pending;
  socket.emit('data', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'));
  turn.end();
  return {
    socket,
    pass(ms: number): void {
      for (const until = clock.now + ms; clock.now < until; ) {
        clock.now += 250;
        connection.tick(clock.now);
      }
    },
  };
}

it('a closing connection is there for as long as its client takes the end of the response, and no longer', () => {
  const { socket, pass } = closing(100_000);
  for (let left = 90_000; left > 0; left -= 10_000) {
    pass(IDLE_MS - 1_000);
    socket.writableLength = left;
  }
  expect(socket.destroyed).toBe(false);
  socket.writableLength = 0;
  pass(3_000);
  expect([socket.destroyed, socket.reset]).toEqual([true, false]);
});

it('a client that takes nothing of it for the read timeout is told by a reset that this was not all', () => {
  const { socket, pass } = closing(100_000);
  pass(IDLE_MS - 1_000);
  expect(socket.destroyed).toBe(false);
  pass(5_000);
  expect([socket.destroyed, socket.reset]).toEqual([true, true]);
});
