import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Exchange } from '../../../src/data/exchange.ts';
import { HeaderList } from '../../../src/data/headers/header-list.ts';
import { ServerConnection } from '../../../src/data/http1/server-connection.ts';
import { turn } from '../../../src/data/turn.ts';
import { FakeSocket, PEER, serviceThat } from './fake-socket.ts';

const service = serviceThat((exchange) => exchange.reply(200, HeaderList.of('X-Path', exchange.target), ''), {
  limits: { maxHeadBytes: 65_536, maxLineBytes: 8_192, maxFields: 100 },
});

/** As a real one, it brings one more piece before it stops. */
class EagerSocket extends FakeSocket {
  due = true;
  override resume(): void {
    super.resume();
    this.due = true;
  }
}

function connection(dispatch = service.dispatch) {
  const socket = new EagerSocket();
  const codec = new ServerConnection(socket as unknown as Socket, PEER, { ...service, dispatch }, () => undefined);
  return {
    socket,
    codec,
    ask(count: number, from = 0): void {
      let requests = '';
      for (let i = from; i < from + count; i++) requests += `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`;
      socket.emit('data', Buffer.from(requests));
    },
    get answered(): number[] {
      turn.end();
      return [...socket.output.matchAll(/X-Path: \/(\d+)/g)].map(([, number]) => Number(number));
    },
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Turns of the event loop until `done`. */
async function turnsUntil(done: () => boolean): Promise<number> {
  for (let turns = 0; ; turns++) {
    if (done() || turns === 1_000) return turns;
    await nextTurn();
  }
}

it('a pipeline that is answered at once is answered in order, and leaves turns to others', async () => {
  const greedy = connection();
  greedy.ask(1_000);
  expect(greedy.answered.length).toBeLessThan(100);
  expect(greedy.codec.busy).toBe(true);
  const modest = connection();
  modest.ask(1);
  expect(modest.answered).toEqual([0]);
  // More comes while some of it waits.
  greedy.ask(200, 1_000);
  expect(await turnsUntil(() => greedy.answered.length === 1_200)).toBeGreaterThan(10);
  expect(greedy.answered).toEqual(upTo(1_200));
  expect(greedy.codec.busy).toBe(false);
});

it('who came first has no more turns than who came later', async () => {
  const many = Array.from({ length: 20 }, connection);
  for (const one of many) one.ask(200);
  await turnsUntil(() => many.some(({ answered }) => answered.length === 200));
  for (const { answered } of many) expect(answered.length).toBeGreaterThan(60);
  await turnsUntil(() => many.every(({ answered }) => answered.length === 200));
  for (const { answered } of many) expect(answered).toEqual(upTo(200));
});

it('a client that ends behind its pipeline gets all answers that need nobody else', async () => {
  const one = connection();
  one.ask(500);
  one.socket.emit('end');
  expect(one.socket.destroyed).toBe(false);
  await turnsUntil(() => one.socket.destroyed);
  expect(one.answered).toEqual(upTo(500));
});

it('a connection that is gone before its turn is forgotten', async () => {
  const one = connection();
  one.ask(500);
  const before = one.answered.length;
  one.socket.destroy();
  for (let i = 0; i < 20; i++) await nextTurn();
  expect(one.answered.length).toBe(before);
});

it.each(['later', 'at once'])(
  'of a pipeline without end that is answered %s no more is read than is answered',
  async (when) => {
    const asked: Exchange[] = [];
    const one = connection((exchange) => {
      if (when === 'later') asked.push(exchange);
      else service.dispatch(exchange);
    });
    const piece = Buffer.from('GET /0 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2_000));
    let read = 0;
    for (let turns = 0; turns < 1_000; turns++) {
      if (one.socket.due || !one.socket.paused) {
        one.socket.due = false;
        one.socket.emit('data', piece);
        read += piece.length;
      }
      const exchange = asked.shift();
      if (exchange !== undefined) service.dispatch(exchange);
      await nextTurn();
    }
    const answered = (one.answered.length * piece.length) / 2_000;
    expect(answered).toBeGreaterThan(piece.length / 4);
    expect(read - answered).toBeLessThan(4 * piece.length);
  },
);
