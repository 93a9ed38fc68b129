import { describe, expect, it } from 'vitest';
import { suggest } from '../../../src/core/config/suggest.ts';

describe('suggest', () => {
  it.each([
    ['midlewares', 'middlewares'],
    ['rul', 'rule'],
    ['SERVICES', 'services'],
    ['ruel', 'rule'],
  ])('takes %s for %s', (name, meant) => {
    expect(suggest(name, ['rule', 'services', 'middlewares', 'routers'])).toBe(meant);
  });

  it.each(['x', 'nothing-like-it', '', 'r'.repeat(100_000)])('has nothing for a name far from all', (name) => {
    expect(suggest(name, ['rule', 'services', 'middlewares'])).toBeUndefined();
  });
});
