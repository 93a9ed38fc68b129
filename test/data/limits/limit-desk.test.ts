import { expect, it } from 'vitest';
import { LimitDesk } from '../../../src/data/limits/limit-desk.ts';

it('tells all breakers of a name that it opened elsewhere: which of them serves is not known yet', () => {
  const desk = new LimitDesk(() => {});
  const opened: string[] = [];
  const breakers = ['serving', 'being compiled'].map((name) => ({ openFor: () => void opened.push(name) }));
  for (const breaker of breakers) desk.join('a', breaker);
  desk.join('b', { openFor: () => void opened.push('another') });
  desk.receive({ type: 'breaker-open', breaker: 'a', forMs: 1_000 });
  expect(opened).toEqual(['serving', 'being compiled']);
});
