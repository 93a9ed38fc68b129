import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { afterAwake, awakeNow, clock, RESOLUTION_MS } from '../../src/data/clock.ts';
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
  expect(clock.now - now).toBeGreaterThanOrEqual(3_000);
  expect(clock.awake - awake).toBeLessThan(1_500);
});

it('is awake as long as time passes otherwise', async () => {
  const { awake } = clock;
  await sleep(1_000);
  expect(clock.awake - awake).toBeGreaterThanOrEqual(500);
});

it('acts after so long of being awake, and not at once after a stall', async () => {
  const acted: string[] = [];
  afterAwake(1_500, () => acted.push('one'));
  const cancel = afterAwake(1_500, () => acted.push('cancelled'));
  stall(2_000);
  await sleep(100);
  expect(acted).toEqual([]);
  cancel();
  await waitFor('the time to be over', () => acted.length > 0);
  expect(acted).toEqual(['one']);
});
