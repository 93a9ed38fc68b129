import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { clock } from '../../../src/data/clock.ts';
import { HeaderList } from '../../../src/data/headers/header-list.ts';
import { type Http1Service, ServerConnection } from '../../../src/data/http1/server-connection.ts';
import { turn } from '../../../src/data/turn.ts';
import { FakeSocket, PEER, serviceThat } from './fake-socket.ts';

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

const service = serviceThat((exchange) => exchange.reply(200, HeaderList.of(), 'x'.repeat(100)), {
  timeouts: { headerMs: 0, bodyIdleMs: IDLE_MS, keepAliveMs: 0 },
});

const { awake } = clock;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  clock.awake = awake;
});

const LAST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** A connection whose last response is written, with `pending` bytes that the client has not taken. */
function closing(pending: number, request = LAST, host: Http1Service = service) {
  const socket = new ClosingSocket();
  const connection = new ServerConnection(socket as unknown as Socket, PEER, host, () => undefined);
  socket.writableLength = pending;
  socket.emit('data', Buffer.from(request));
  turn.end();
  return {
    socket,
    connection,
    pass(ms: number): void {
      for (const until = clock.awake + ms; clock.awake < until; ) {
        clock.awake += 250;
        connection.tick(clock.awake);
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

describe('a response that the end of the connection ends', () => {
  const REQUEST = 'GET / HTTP/1.0\r\nHost: a\r\n\r\n';
  const unended: Http1Service = {
    ...service,
    dispatch: (exchange) => {
      exchange.start({ status: 200, reason: 'OK', headers: HeaderList.of(), body: 'chunked', length: 0 });
      exchange.response.data(Buffer.from('some of it'));
    },
  };
  const whole: Http1Service = {
    ...unended,
    dispatch: (exchange) => {
      unended.dispatch(exchange);
      exchange.response.end(null);
    },
  };

  it('is ended by a reset where the client reads no more of it', () => {
    const { socket, pass } = closing(100_000, REQUEST, unended);
    pass(IDLE_MS + 1_000);
    expect(socket.reset).toBe(true);
  });

  it('is ended by a reset where the time for what is under way is over', () => {
    const { socket, connection } = closing(0, REQUEST, unended);
    connection.destroy();
    expect(socket.reset).toBe(true);
  });

  it('is ended by a reset where the client closes its side before all has come', () => {
    const { socket } = closing(0, REQUEST, unended);
    socket.emit('end');
    expect(socket.reset).toBe(true);
  });

  it('is ended by a reset where some of it is still to be written, and in good order where nothing is', () => {
    const ends = [100_000, 0].map((pending) => {
      const { socket, connection } = closing(pending, REQUEST, whole);
      connection.destroy();
      return [socket.destroyed, socket.reset];
    });
    expect(ends).toEqual([
      [true, true],
      [true, false],
    ]);
  });
});

describe('where everything begins to end while an answer is under way', () => {
  const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
  /** The first answer begins before, and ends when told to. */
  function endingWithin(requests: string) {
    let end = (): void => {};
    const host: Http1Service = {
      ...service,
      dispatch: (exchange) => {
        exchange.start({ status: 200, reason: 'OK', headers: HeaderList.of(), body: 'none', length: 0 });
        end = () => exchange.response.end(null);
        if (host.draining) end();
      },
    };
    const { socket, connection } = closing(0, requests, host);
    host.draining = true;
    end();
    turn.end();
    return { socket, connection };
  }
  const said = (socket: ClosingSocket) => [...socket.output.matchAll(/HTTP\/1.1 200|Connection: close/g)].map(String);
  const closed = (socket: ClosingSocket) => socket.ended || socket.destroyed;

  it('the client that has asked again gets that answer too, and is told by it', () => {
    const { socket } = endingWithin(GET + GET);
    expect(said(socket)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200', 'Connection: close']);
    expect(closed(socket)).toBe(true);
  });

  it('the client may ask a moment later, and is closed after that', () => {
    const { socket, connection } = endingWithin(GET);
    connection.closeWhenQuiet(clock.awake - 1_000);
    expect(closed(socket)).toBe(false);
    socket.emit('data', Buffer.from(GET));
    turn.end();
    expect(said(socket)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200', 'Connection: close']);
    expect(closed(socket)).toBe(true);
  });

  it('the client that asks nothing more is closed', () => {
    const { socket, connection } = endingWithin(GET);
    clock.awake += 1_000;
    connection.closeWhenQuiet(clock.awake - 1_000);
    expect(closed(socket)).toBe(true);
  });
});

it.each(['\r\n', '\r'])('an empty line behind a body is no request: its end is not told', (empty) => {
  const socket = new ClosingSocket();
  const connection = new ServerConnection(socket as unknown as Socket, PEER, service, () => undefined);
  socket.emit('data', Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi${empty}`));
  turn.end();
  expect(connection.busy).toBe(false);
  socket.emit('end');
  turn.end();
  expect(socket.output.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
  expect(socket.ended).toBe(true);
});

it('an empty line, then a request', () => {
  const socket = new ClosingSocket();
  new ServerConnection(socket as unknown as Socket, PEER, service, () => undefined);
  for (const piece of ['GET / HTTP/1.1\r\nHost: a\r\n\r\n\r', '\n', 'G', 'ET / HTTP/1.1\r\nHost: a\r\n\r\n']) {
    socket.emit('data', Buffer.from(piece));
  }
  turn.end();
  expect(socket.output.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
});
