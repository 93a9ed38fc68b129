import { describe, expect, it } from 'vitest';
import { atOnce, inSlices, type Steps } from '../../src/core/steps.ts';

function* count(to: number, seen: number[] = []): Steps<number> {
  for (let i = 0; i < to; i++) {
    seen.push(i);
    yield;
  }
  return to;
}

function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Counts turns of the event loop until it is asked. */
function countTurns(): () => number {
  let turns = 0;
  let running = true;
  const turn = (): void => {
    turns++;
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  return () => {
    running = false;
    return turns;
  };
}

describe('work in steps', () => {
  it('is done at once', () => {
    const seen: number[] = [];
    expect(atOnce(count(3, seen))).toBe(3);
    expect(seen).toEqual([0, 1, 2]);
  });

  it('lets others have their turn between slices', async () => {
    function* slow(): Steps<string> {
      for (let i = 0; i < 10; i++) {
        busy(2);
        yield;
      }
      return 'done';
    }
    const turns = countTurns();
    const result = await inSlices(slow(), 1);
    expect(result).toBe('done');
    // Each step is longer than a slice.
    expect(turns()).toBeGreaterThanOrEqual(9);
  });

  it('does many short steps in one slice', async () => {
    const turns = countTurns();
    expect(await inSlices(count(50), 10_000)).toBe(50);
    expect(turns()).toBeLessThanOrEqual(1);
  });

  it('fails with what a step throws', async () => {
    // biome-ignore lint/correctness/useYield: it throws before
    function* bad(): Steps<void> {
      throw new Error('no');
    }
    await expect(inSlices(bad(), 1)).rejects.toThrow('no');
    expect(() => atOnce(bad())).toThrow('no');
  });
});
