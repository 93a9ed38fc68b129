import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_TABLE } from '../../src/core/errors.ts';

const PAGE = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');

/** `code → [source, status, retryable]`, as the page's table rows have them. */
const documented = new Map(
  [...PAGE.matchAll(/^\|\s*`([A-Z_]+)`\s*\|\s*(\w+)\s*\|\s*(\d+)\s*\|\s*(yes|no)\s*\|/gm)].map(
    ([, code, source, status, retryable]) => [code, { source, status: Number(status), retryable: retryable === 'yes' }],
  ),
);

describe('docs/errors.md', () => {
  it.each(Object.entries(ERROR_TABLE))('tells of %s what the table says', (code, { source, status, retryable }) => {
    expect(documented.get(code)).toEqual({ source, status, retryable });
  });

  it('tells of no code that does not exist', () => {
    expect([...documented.keys()].filter((code) => !Object.hasOwn(ERROR_TABLE, code ?? ''))).toEqual([]);
  });
});
