import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REQUEST_CORPUS } from '../hardening/request-corpus.ts';
import { RESPONSE_CORPUS } from '../hardening/response-corpus.ts';

const file = (path: string): URL => new URL(`../../${path}`, import.meta.url);
const page = readFileSync(file('docs/rfc-coverage.md'), 'utf8');

/** Rows of the two tables of requirements: number, text, and what holds it. */
const rows = [...page.matchAll(/^\| (\d+(?:\.\d+)*)\s*\| (.+?)\s*\| (`.+?)\s*\|$/gm)].map((row) => ({
  section: row[1]!,
  requirement: row[2]!,
  references: [...row[3]!.matchAll(/`([^`]+)` "([^"]+)"/g)].map(([, path, name]) => ({ path: path!, name: name! })),
  left: row[3]!
    .replace(/`[^`]+` "[^"]+"/g, '')
    .replaceAll(';', '')
    .trim(),
}));

const names = {
  requests: new Set(
    Object.values(REQUEST_CORPUS)
      .flat()
      .map(({ name }) => name),
  ),
  responses: new Set(
    Object.values(RESPONSE_CORPUS)
      .flat()
      .map(({ name }) => name),
  ),
};

/** Whether there is such a test: a case of a corpus, or an `it` with that name. */
function exists(path: string, name: string): boolean {
  const [folder] = path.split('/');
  const at = path.startsWith('test/') ? path : `test/hardening/${path}`;
  if (!existsSync(file(at))) return false;
  const text = readFileSync(file(at), 'utf8');
  if (folder === 'requests' || folder === 'responses') return names[folder].has(name) && text.includes(name);
  return new RegExp(`it(\\.each\\([^]*?\\))?\\(\\s*'${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`).test(text);
}

describe('docs/rfc-coverage.md', () => {
  it('has a row for each of many requirements', () => {
    expect(rows.length).toBeGreaterThan(65);
  });

  it.each(rows)('§$section, $requirement: is held by tests that exist', ({ references, left }) => {
    expect(references.length).toBeGreaterThan(0);
    expect(left, 'what is no reference').toBe('');
    expect(references.filter(({ path, name }) => !exists(path, name))).toEqual([]);
  });
});
