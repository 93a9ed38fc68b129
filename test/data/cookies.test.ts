import { describe, expect, it } from 'vitest';
import { cookieOf } from '../../src/data/cookies.ts';
import { HeaderList } from '../../src/data/headers/header-list.ts';
import { cpuTime } from '../support/cpu-time.ts';

const cookie = (...lines: readonly string[]): string | null =>
  cookieOf(HeaderList.of(...lines.flatMap((line) => ['Cookie', line])), 'lb');

describe('a cookie', () => {
  it.each([
    ['lb=1', '1'],
    ['a=2; lb=1', '1'],
    ['a; b; lb=1; lb=2', '1'],
    ['lb; lb=1', '1'],
    [' lb = "1 2" ;', '1 2'],
    ['lb=a=b', 'a=b'],
    ['a=lb=1; lb=', ''],
    ['xlb=1; lbx=2; lb', null],
    [';;=;lb=1', '1'],
    ['', null],
  ])('in %j', (line, value) => {
    expect(cookie(line)).toBe(value);
  });

  it('may be in another line', () => {
    expect(cookie('a=1', 'b; c', 'lb=2')).toBe('2');
  });

  it.each([';', 'a;', '=;', 'a=b;'])('a line of %j alone takes no longer than it is', (pair) => {
    const line = pair.repeat(60_000 / pair.length);
    const took = cpuTime(() => {
      for (let i = 0; i < 20; i++) expect(cookie(line)).toBe(null);
    });
    expect(took).toBeLessThan(700);
  });
});
