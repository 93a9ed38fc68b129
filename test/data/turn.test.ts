import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Turn } from '../../src/data/turn.ts';

function counter() {
  const who = { ended: 0, endTurn: () => void who.ended++ };
  return who;
}

/** So many writes at once that it is busy; more of them where this process lost its processor meanwhile. */
function makeBusy(turn: Turn): void {
  const who = counter();
  for (let i = 0; i < 128 || !turn.busy; i += 64) {
    for (let n = 0; n < 64; n++) turn.atEnd(who);
  }
  turn.end();
}

describe('writes at the end of a turn', () => {
  it('are made at once where little is going on', () => {
    const turn = new Turn();
    const who = counter();
    turn.atEnd(who);
    expect(who.ended).toBe(1);
  });

  it('wait for the end of the turn where much is', async () => {
    const turn = new Turn();
    makeBusy(turn);
    const who = counter();
    turn.atEnd(who);
    turn.atEnd(who);
    expect(who.ended).toBe(0);
    await nextTurn();
    await nextTurn();
    expect(who.ended).toBe(2);
  });

  it('are made in the middle of a turn when 64 wait', () => {
    const turn = new Turn();
    makeBusy(turn);
    const who = counter();
    for (let i = 0; i < 63; i++) turn.atEnd(who);
    expect(who.ended).toBe(0);
    turn.atEnd(who);
    expect(who.ended).toBe(64);
  });

  it('are made at once again when it has become quiet', async () => {
    const turn = new Turn();
    makeBusy(turn);
    for (let i = 0; i < 64; i++) {
      turn.atEnd(counter());
      if (i % 8 === 0) await delay(2);
    }
    await nextTurn();
    await nextTurn();
    expect(turn.busy).toBe(false);
    const who = counter();
    turn.atEnd(who);
    expect(who.ended).toBe(1);
  });

  it('keep their order when it becomes quiet in the middle of a turn', () => {
    const turn = new Turn();
    makeBusy(turn);
    const order: number[] = [];
    const late = { endTurn: () => void order.push(1) };
    turn.atEnd(late);
    // What waits goes first, whatever the rate says by now.
    for (let i = 2; i <= 63; i++) turn.atEnd({ endTurn: () => void order.push(i) });
    expect(order).toEqual([]);
    turn.end();
    expect(order).toEqual([...Array(63).keys()].map((i) => i + 1));
  });
});
