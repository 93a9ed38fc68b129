import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { afterAwake, awakeNow, clock, onTick, RESOLUTION_MS } from '../../src/data/clock.ts';
import { waitFor } from '../support/wait-for.ts';

/** This process does not run for so long: no timer, no read. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('does not count as awake what the process did not run for', async () => {
  await sleep(2 * RESOLUTION_MS);
  const { now, awake } = clock;
  stall(3_000);
  expect(awakeNow() - awake).toBeLessThan(3 * RESOLUTION_MS);
  await sleep(2 * RESOLUTION_MS);
  expect(clock.now - now - (clock.awake - awake)).toBeGreaterThan(2_000);
});

it('is awake as long as time passes otherwise', async () => {
  const { awake } = clock;
  await sleep(1_000);
  expect(clock.awake - awake).toBeGreaterThanOrEqual(500);
  expect([clock.now, clock.awake, awakeNow()].every(Number.isInteger)).toBe(true);
});

it('acts after so long of being awake, and not at once after a stall', async () => {
  const acted: string[] = [];
  afterAwake(3_000, () => acted.push('one'));
  const cancel = afterAwake(3_000, () => acted.push('cancelled'));
  stall(3_500);
  await sleep(10);
  expect(acted).toEqual([]);
  cancel();
  await waitFor('the time to be over', () => acted.length > 0);
  expect(acted).toEqual(['one']);
});

it('what came while the process stood still is read before anybody hears how late it is', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  const order: string[] = [];
  socket.on('data', () => order.push('data'));
  const stop = onTick(() => order.push('tick'));
  await waitFor('a tick', () => order.length > 0, { intervalMs: 1 });
  // The turn of the event loop that follows begins with timers.
  await nextTurn();
  order.length = 0;
  client.write('x');
  for (const until = performance.now() + 2 * RESOLUTION_MS; performance.now() < until; );
  await waitFor('both', () => order.length > 1);
  expect(order.slice(0, 2)).toEqual(['data', 'tick']);
  stop();
  client.destroy();
  socket.destroy();
  server.close();
});
