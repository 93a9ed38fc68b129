import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { HeaderList } from '../../../src/data/headers/header-list.ts';
import { EarlyBytes, type EarlyReader, earlyBytes } from '../../../src/data/http1/early-bytes.ts';
import { ServerConnection } from '../../../src/data/http1/server-connection.ts';
import { turn } from '../../../src/data/turn.ts';
import { FakeSocket, PEER, serviceThat } from './fake-socket.ts';

class Reader implements EarlyReader {
  sheds = 0;
  shed(): void {
    this.sheds++;
  }
}

describe('the memory that all share', () => {
  it('is given up by who has held some of it for longest, however much that is', () => {
    const memory = new EarlyBytes(100);
    const [first, second, third] = [new Reader(), new Reader(), new Reader()] as const;
    memory.hold(first, 10);
    memory.hold(second, 60);
    memory.hold(first, 20);
    memory.hold(third, 30);
    expect([first.sheds, second.sheds, third.sheds, memory.total]).toEqual([1, 0, 0, 90]);
    memory.hold(third, 90);
    expect([first.sheds, second.sheds, third.sheds, memory.total]).toEqual([1, 1, 0, 90]);
  });

  it('counts nobody who holds nothing any more', () => {
    const memory = new EarlyBytes(100);
    const [first, second] = [new Reader(), new Reader()] as const;
    memory.hold(first, 80);
    memory.hold(first, 0);
    memory.hold(second, 90);
    expect([first.sheds, second.sheds, memory.total]).toEqual([0, 0, 90]);
  });

  it('is not taken from who comes with more', () => {
    const memory = new EarlyBytes(100);
    const reader = new Reader();
    memory.hold(reader, 200);
    expect(reader.sheds).toBe(0);
  });
});

describe('a connection', () => {
  const HEAD = `GET / HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(10_000)}\r\n`;
  /** Another comes with more than there is room for. */
  const fill = (): void => {
    const other = new Reader();
    earlyBytes.hold(other, 1024 ** 3);
    earlyBytes.hold(other, 0);
  };
  const PIPELINED = `GET / HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(8_000)}\r\n\r\n`.repeat(3);
  /** @param said what it reads at first */
  function reading(said: string) {
    const socket = new FakeSocket();
    const refused: string[] = [];
    const answers: (() => void)[] = [];
    new ServerConnection(
      socket as unknown as Socket,
      PEER,
      serviceThat((exchange) => answers.push(() => exchange.reply(200, HeaderList.of(), 'x')), {
        refused: (_peer, { code }, status) => refused.push(`${code} ${status}`),
      }),
      () => undefined,
    );
    socket.emit('data', Buffer.from(said));
    const answer = (): void => {
      answers.shift()!();
      turn.end();
    };
    const heard = (): string[] => socket.output.match(/HTTP\/1\.1 \d+|Connection: close/g) ?? [];
    return { socket, refused, answer, heard };
  }

  it('counts the part of a head that is not short, until the rest of it has come', () => {
    const short = reading('GET / HTTP/1.1\r\nHost: a\r\n');
    expect(earlyBytes.total).toBe(0);
    const { socket, answer } = reading(HEAD);
    expect(earlyBytes.total).toBeGreaterThan(10_000);
    socket.emit('data', Buffer.from('\r\n'));
    expect(earlyBytes.total).toBe(0);
    answer();
    short.socket.destroy();
  });

  it.each([
    ['within a head', HEAD],
    ['while further requests wait', PIPELINED],
  ])('counts nothing after it was closed %s', (_when, said) => {
    const { socket } = reading(said);
    expect(earlyBytes.total).toBeGreaterThan(10_000);
    socket.destroy();
    expect(earlyBytes.total).toBe(0);
  });

  it('whose head is given up gets 408', () => {
    const { socket, refused, heard } = reading(HEAD);
    fill();
    expect(refused).toEqual(['CLIENT_HEADER_TIMEOUT 408']);
    expect(heard()).toEqual(['HTTP/1.1 408', 'Connection: close']);
    expect([socket.ended, earlyBytes.total]).toEqual([true, 0]);
    socket.destroy();
    expect(earlyBytes.total).toBe(0);
  });

  it('whose further requests are given up gets the answer to the one under way, and is told that it is the last', () => {
    const { socket, refused, answer, heard } = reading(PIPELINED);
    fill();
    expect(refused).toEqual(['PROXY_OVERLOADED 0']);
    // Whatever else it sends is not kept.
    for (let i = 0; i < 10; i++) socket.emit('data', Buffer.from(PIPELINED));
    expect(earlyBytes.total).toBe(0);
    answer();
    expect(heard()).toEqual(['HTTP/1.1 200', 'Connection: close']);
    expect(socket.ended).toBe(true);
  });

  it('counts what waits behind a request, until all of it is begun', () => {
    const { answer, heard } = reading(PIPELINED);
    const counted = [earlyBytes.total];
    for (let i = 0; i < 3; i++) {
      answer();
      counted.push(earlyBytes.total);
    }
    expect(heard()).toEqual(Array(3).fill('HTTP/1.1 200'));
    expect(counted[0]).toBeGreaterThan(16_000);
    expect(counted.slice(2)).toEqual([0, 0]);
  });
});
