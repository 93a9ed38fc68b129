import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchForm, readRequestPath, someQueryValue } from '../../src/core/request-path.ts';

describe('readRequestPath', () => {
  it('gives the same strings back where there is nothing to do', () => {
    const target = '/api/v1/items-_.~/1;v=2,3/';
    expect(readRequestPath(target, true)).toEqual({ path: target, matchPath: target, query: '', target });
  });

  it.each([
    ['/a?b=c?d', '/a', '/a', 'b=c?d', '/a?b=c?d'],
    ['/a?', '/a', '/a', '', '/a?'],
    ['/a?b=%zz%2f//../', '/a', '/a', 'b=%zz%2f//../', '/a?b=%zz%2f//../'],
    ['*', '*', '*', '', '*'],
    ['/%41%7e?q', '/A~', '/A~', 'q', '/A~?q'],
    ['/a%2fb%20c', '/a%2Fb%20c', '/a%2Fb c', '', '/a%2Fb%20c'],
    ['/%25%32%66', '/%252f', '/%252f', '', '/%252f'],
    ['/%C3%A9', '/%C3%A9', '/é', '', '/%C3%A9'],
    ['/\xc3\xa9', '/%C3%A9', '/é', '', '/%C3%A9'],
    ['/a\\b{c}|"', '/a%5Cb%7Bc%7D%7C%22', '/a\\b{c}|"', '', '/a%5Cb%7Bc%7D%7C%22'],
    ['/a//b/', '/a/b/', '/a/b/', '', '/a/b/'],
    ['//a', '/a', '/a', '', '/a'],
    ['/a/../b', '/b', '/b', '', '/b'],
    ['/a/..', '/', '/', '', '/'],
    ['/a/b/..', '/a', '/a', '', '/a'],
    ['/a/.', '/a', '/a', '', '/a'],
    ['/a/./', '/a/', '/a/', '', '/a/'],
    ['/../../a', '/a', '/a', '', '/a'],
    ['/a/%2e%2E/b?x', '/b', '/b', 'x', '/b?x'],
    ['/a/..%2fb', '/a/..%2Fb', '/a/..%2Fb', '', '/a/..%2Fb'],
    ['/.well-known/x', '/.well-known/x', '/.well-known/x', '', '/.well-known/x'],
    ['/...', '/...', '/...', '', '/...'],
  ])('%j', (raw, path, matchPath, query, target) => {
    expect(readRequestPath(raw, true)).toEqual({ path, matchPath, query, target });
  });

  it('leaves dots and slashes alone where sanitizePath is off', () => {
    expect(readRequestPath('/a//../%2e%2e/b', false)).toMatchObject({ path: '/a//../../b', matchPath: '/a//../../b' });
  });

  it.each([
    '',
    'a',
    'http://a/',
    '/a#b',
    '/a?b#c',
    '/a b',
    '/a\x00',
    '/a\x7f',
    '/a?\x1f',
    '/a%',
    '/a%4',
    '/a%4g',
    '/a\u0100',
    '/a?\u0100',
    '**',
  ])('refuses %j', (raw) => {
    expect(readRequestPath(raw, true)).toBeUndefined();
  });

  it('is stable: a path that was read is read as itself', () => {
    const char = fc.constantFrom(
      '/',
      '/',
      '.',
      '.',
      'a',
      '%2e',
      '%2F',
      '%2f',
      '%41',
      '%C3',
      '%25',
      '{',
      '\xe9',
      '?',
      ';',
    );
    fc.assert(
      fc.property(fc.array(char), fc.boolean(), (chars, sanitize) => {
        const once = readRequestPath(`/${chars.join('')}`, sanitize);
        expect(once).toBeDefined();
        if (once === undefined) return;
        expect(readRequestPath(once.target, sanitize)).toEqual(once);
        if (sanitize) expect(once.path).not.toMatch(/\/\/|\/\.\.?(\/|$)/);
      }),
      { numRuns: 500 },
    );
  });

  it('matchForm says how a rule must write a path', () => {
    expect(['/a%20b', '/a%2fb', '/é', '/%C3%A9', '/a%', '/a b{'].map(matchForm)).toEqual([
      '/a b',
      '/a%2Fb',
      '/é',
      '/é',
      undefined,
      '/a b{',
    ]);
  });
});

describe('someQueryValue', () => {
  const values = (query: string, name: string) => {
    const found: string[] = [];
    someQueryValue(query, name, (value) => {
      found.push(value);
      return false;
    });
    return found;
  };

  it.each([
    ['a=1', 'a', ['1']],
    ['a=1&a=2;a=3', 'a', ['1', '2', '3']],
    ['a', 'a', ['']],
    ['a=', 'a', ['']],
    ['aa=1&ba=2', 'a', []],
    ['a=b=c', 'a', ['b=c']],
    ['%61=%62+c', 'a', ['b c']],
    ['a+b=1', 'a b', ['1']],
    ['a=%zz&a=2', 'a', ['2']],
    ['%zz=1', '%zz', []],
    ['a=\xc3\xa9', 'a', ['é']],
    ['&&;', '', []],
    ['=x', '', ['x']],
    ['', 'a', []],
  ])('%j has for %j: %j', (query, name, expected) => {
    expect(values(query, name)).toEqual(expected);
  });

  it('agrees with URLSearchParams on well-formed queries', () => {
    const text = fc.stringMatching(/^[ab1 é&=+%;]{0,4}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text)), text, (pairs, name) => {
        const params = new URLSearchParams(pairs);
        expect(values(params.toString(), name)).toEqual(params.getAll(name));
      }),
    );
  });
});
