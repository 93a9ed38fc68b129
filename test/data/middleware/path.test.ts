import { describe, expect, it } from 'vitest';
import { isFieldValue } from '../../../src/data/headers/header-list.ts';
import { encodePath } from '../../../src/data/middleware/path-edit.ts';
import { compile } from './run.ts';

function pathAfter(config: unknown, target: string): string {
  return compile(config).run({ target }).exchange.target;
}

describe('addPrefix', () => {
  it.each([
    ['/foo', '/bar', '/foo/bar'],
    ['/foo', '/', '/foo/'],
    ['/foo/', '/bar', '/foo//bar'],
    ['foo', '/bar', '/foo/bar'],
    ['/foo', '/bar?a=b&c', '/foo/bar?a=b&c'],
    ['/foo', '/a%2Fb', '/foo/a%2Fb'],
    ['/a b', '/x', '/a%20b/x'],
    ['/ä', '/x', '/%C3%A4/x'],
    ['/a%20b', '/x', '/a%20b/x'],
    ['/100%', '/x', '/100%25/x'],
    ['/a?b#c', '/x', '/a%3Fb%23c/x'],
    ['/a\r\nX: y', '/x', '/a%0D%0AX:%20y/x'],
    ['/a/..', '/x', '/x'],
  ])('%j before %j gives %j', (prefix, target, expected) => {
    expect(pathAfter({ addPrefix: { prefix } }, target)).toBe(expected);
  });

  it('leaves OPTIONS * alone', () => {
    expect(compile({ addPrefix: { prefix: '/a' } }).run({ method: 'OPTIONS', target: '*' }).exchange.path).toBe('*');
  });

  it('refuses an empty prefix', () => {
    expect(() => compile({ addPrefix: {} })).toThrow('addPrefix.prefix is empty');
  });
});

describe('stripPrefix', () => {
  it.each([
    [['/api'], '/api/users', '/users', '/api'],
    [['/api'], '/api', '/', '/api'],
    [['/api'], '/api/', '/', '/api'],
    [['/api'], '/apiv2', '/v2', '/api'],
    [['/api/'], '/api/users', '/users', '/api/'],
    [['/api/'], '/api', '/api', undefined],
    [['/a', '/a/b'], '/a/b/c', '/b/c', '/a'],
    [['/x', '/y'], '/y/z?q=1', '/z?q=1', '/y'],
    [['/x'], '/other', '/other', undefined],
    [['/a'], '/a/b%2Fc', '/b%2Fc', '/a'],
    [['/a b'], '/a%20b/c', '/c', '/a b'],
    [['/ä'], '/%c3%a4/c', '/c', '/\xc3\xa4'],
    [[], '/a', '/a', undefined],
  ])('%j off %j gives %j', (prefixes, target, expected, header) => {
    const { exchange } = compile({ stripPrefix: { prefixes } }).run({ target });
    expect(exchange.target).toBe(expected);
    expect(exchange.headers.get('x-forwarded-prefix')).toBe(header);
  });

  it('never leaves a way up: what is left of /a../secret is not /../secret', () => {
    expect(pathAfter({ stripPrefix: { prefixes: ['/a'] } }, '/a../secret')).toBe('/secret');
    expect(pathAfter({ stripPrefix: { prefixes: ['/a'] } }, '/a..')).toBe('/');
    expect(pathAfter({ stripPrefix: { prefixes: ['/a'] } }, '/a./b')).toBe('/b');
    expect(pathAfter({ stripPrefix: { prefixes: ['/a'] } }, '/a.well-known')).toBe('/.well-known');
  });

  it('takes forceSlash', () => {
    expect(pathAfter({ stripPrefix: { prefixes: ['/api/'], forceSlash: true } }, '/api/users')).toBe('/users');
    expect(pathAfter({ stripPrefix: { prefixes: ['/api'], forceSlash: false } }, '/api')).toBe('/');
  });

  it('refuses a prefix that would break the header', () => {
    expect(() => compile({ stripPrefix: { prefixes: ['/a\r\nX-Evil: 1'] } })).toThrow('control character');
  });

  it('adds to the prefixes that were stripped before', () => {
    const { exchange } = compile({ stripPrefix: { prefixes: ['/b'] } }).run({
      target: '/b/c',
      headers: ['X-Forwarded-Prefix', '/a'],
    });
    expect(exchange.headers.getAll('x-forwarded-prefix')).toEqual(['/a', '/b']);
  });
});

describe('stripPrefixRegex', () => {
  it.each([
    [['/foo/[a-z0-9]+/[0-9]+/'], '/foo/abc/123/rest', '/rest', '/foo/abc/123/'],
    [['/v[0-9]+'], '/v12', '/', '/v12'],
    [['/v[0-9]+'], '/api/v12', '/api/v12', undefined],
    [['/nope', '/a'], '/a/b?x', '/b?x', '/a'],
    [['^/a b'], '/a%20b/c', '/c', '/a%20b'],
    [['^/a.b'], '/a%0D%0Ab/c', '/a%0D%0Ab/c', undefined],
    [['^/a..b'], '/a%0Dxb/c', '/c', '/a%0Dxb'],
    [['^/.*?/'], '/a%2Fb/c', '/c', '/a%2Fb/'],
    [['x*'], '/a', '/a', undefined],
    [[' /a '], '/a/b', '/b', '/a'],
  ])('%j on %j gives %j', (regex, target, expected, header) => {
    const { exchange } = compile({ stripPrefixRegex: { regex } }).run({ target });
    expect(exchange.target).toBe(expected);
    expect(exchange.headers.get('x-forwarded-prefix')).toBe(header);
    expect(isFieldValue(exchange.headers.get('x-forwarded-prefix') ?? '')).toBe(true);
  });

  it('refuses an invalid expression', () => {
    expect(() => compile({ stripPrefixRegex: { regex: ['(?=a)'] } })).toThrow(/stripPrefixRegex.regex.*lookahead/);
  });
});

describe('replacePath', () => {
  it.each([
    ['/new', '/old', '/new', '/old'],
    ['/new', '/old?a=b', '/new?a=b', '/old'],
    ['/new', '/a%2Fb', '/new', '/a%2Fb'],
    ['new', '/old', '/new', '/old'],
    ['', '/old', '/', '/old'],
    ['/a b?c', '/old', '/a%20b%3Fc', '/old'],
    ['/a\nb', '/old', '/a%0Ab', '/old'],
  ])('%j for %j gives %j', (path, target, expected, header) => {
    const { exchange } = compile({ replacePath: { path } }).run({ target });
    expect(exchange.target).toBe(expected);
    expect(exchange.headers.get('x-replaced-path')).toBe(header);
  });
});

describe('replacePathRegex', () => {
  it.each([
    ['^/foo/(.*)', '/bar/$1', '/foo/a/b', '/bar/a/b', '/foo/a/b'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's replacement syntax
    ['^/foo/(.*)', '/bar/${1}x', '/foo/a?q=1', '/bar/ax?q=1', '/foo/a'],
    ['^/foo/(.*)', '/bar/$1', '/other', '/other', undefined],
    ['^/(.*)', '$1', '/a', '/a', '/a'],
    ['^/(.*)', '/x?y=$1', '/a', '/x%3Fy=a', '/a'],
    ['^/(.*)', '/../$1', '/a', '/a', '/a'],
    ['^/(.*)', '/a b\r\n$1', '/c', '/a%20b%0D%0Ac', '/c'],
    ['^/a%(..)', '/b%', '/a%20c', '/b%25c', '/a%20c'],
    ['^/a', '', '/a', '/a', undefined],
    [' ^/a ', ' /b ', '/a', '/b', '/a'],
  ])('%j → %j on %j gives %j', (regex, replacement, target, expected, header) => {
    const { exchange } = compile({ replacePathRegex: { regex, replacement } }).run({ target });
    expect(exchange.target).toBe(expected);
    expect(exchange.headers.get('x-replaced-path')).toBe(header);
  });

  it('refuses an invalid expression', () => {
    expect(() => compile({ replacePathRegex: { regex: '(', replacement: '/' } })).toThrow('replacePathRegex.regex');
  });
});

describe('encodePath', () => {
  it('encodes what is no path character, lone surrogates too', () => {
    expect(encodePath('/\ud800')).toBe('/%EF%BF%BD');
    expect(encodePath('/😀')).toBe('/%F0%9F%98%80');
    expect(encodePath('/%7e%2f%zz')).toBe('/~%2F%25zz');
  });
});
