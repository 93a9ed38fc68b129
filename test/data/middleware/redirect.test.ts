import { describe, expect, it } from 'vitest';
import type { FakeRequest } from '../../support/fake-client.ts';
import { compile } from './run.ts';

function locationOf(config: unknown, request: FakeRequest): string | undefined {
  const { client, upstream } = compile(config).run(request);
  expect(upstream.called).toBe(client.header('location') === undefined);
  return client.header('location');
}

describe('redirectScheme', () => {
  const https = { redirectScheme: { scheme: 'https' } };

  it.each<[string, unknown, FakeRequest, string | undefined]>([
    ['path and query stay', https, { target: '/a%2Fb?c=d&e' }, 'https://example.com/a%2Fb?c=d&e'],
    ['an empty query stays', https, { target: '/a?' }, 'https://example.com/a?'],
    ['the port goes', https, { authority: 'example.com:8080' }, 'https://example.com/'],
    ['the scheme is there', https, { tls: true }, undefined],
    ['with its default port', https, { tls: true, authority: 'example.com:443' }, undefined],
    ['another port is another place', https, { tls: true, authority: 'example.com:8443' }, 'https://example.com/'],
    ['IPv6', https, { authority: '[::1]:80', target: '/x' }, 'https://[::1]/x'],
    ['IPv6 without port', https, { authority: '[::1]' }, 'https://[::1]/'],
    ['OPTIONS *', https, { method: 'OPTIONS', target: '*' }, 'https://example.com'],
    ['a trusted proxy ended TLS', https, { trusted: true, headers: ['X-Forwarded-Proto', 'https'] }, undefined],
    ['or a websocket', https, { trusted: true, headers: ['X-Forwarded-Proto', 'WSS'] }, undefined],
    ['a client only says so', https, { headers: ['X-Forwarded-Proto', 'https'] }, 'https://example.com/'],
    [
      'plaintext before a trusted proxy',
      https,
      { tls: true, trusted: true, headers: ['X-Forwarded-Proto', 'ws'] },
      'https://example.com/',
    ],
    ['an unknown protocol', https, { trusted: true, headers: ['X-Forwarded-Proto', 'gopher'] }, 'https://example.com/'],
    ['a port', { redirectScheme: { scheme: 'https', port: '8443' } }, { target: '/x' }, 'https://example.com:8443/x'],
    [
      'that port',
      { redirectScheme: { scheme: 'https', port: '8443' } },
      { tls: true, authority: 'example.com:8443' },
      undefined,
    ],
    ['a default port is left out', { redirectScheme: { scheme: 'https', port: '443' } }, {}, 'https://example.com/'],
    ['to http', { redirectScheme: { scheme: 'http' } }, { tls: true }, 'http://example.com/'],
    ['to http on port 80', { redirectScheme: { scheme: 'http', port: '80' } }, { tls: true }, 'http://example.com/'],
    ['raw bytes in the query', https, { target: '/?\xe4"<' }, 'https://example.com/?%E4%22%3C'],
    ['a backslash', https, { target: '/?\\evil' }, 'https://example.com/?%5Cevil'],
  ])('%s', (_what, config, request, expected) => {
    expect(locationOf(config, request)).toBe(expected);
  });

  it.each([
    ['GET', false, 302, 'Found'],
    ['POST', false, 307, 'Temporary Redirect'],
    ['HEAD', false, 307, ''],
    ['GET', true, 301, 'Moved Permanently'],
    ['PUT', true, 308, 'Permanent Redirect'],
    ['HEAD', true, 308, ''],
  ])('%s, permanent %s: %i', (method, permanent, status, body) => {
    const { client } = compile({ redirectScheme: { scheme: 'https', permanent } }).run({ method });
    expect([client.status, client.body, client.ended]).toEqual([status, body, true]);
  });

  it.each([
    [{}, 'scheme'],
    [{ scheme: 'https\r\n' }, 'scheme'],
    [{ scheme: 'https', port: '80/x' }, 'port'],
    [{ scheme: 'https', port: '70000' }, 'port'],
  ])('refuses %j', (config, message) => {
    expect(() => compile({ redirectScheme: config })).toThrow(`redirectScheme.${message}`);
  });
});

describe('redirectRegex', () => {
  it.each<[string, string, FakeRequest, string | undefined]>([
    [
      '^http://localhost/(.*)',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's replacement syntax
      'http://mydomain/${1}',
      { authority: 'localhost', target: '/a?b=c' },
      'http://mydomain/a?b=c',
    ],
    ['^https?://([^/]+)/(.*)', 'https://www.$1/$2', { target: '/x' }, 'https://www.example.com/x'],
    ['^https://', 'x', {}, undefined],
    ['^https://(.*)', 'http://$1', { tls: true }, 'http://example.com/'],
    ['^http://example.com:8080/', 'https://example.com/', { authority: 'example.com:8080' }, 'https://example.com/'],
    ['example', 'example', {}, undefined],
    ['(?P<h>example)', 'other', {}, 'http://other.com/'],
    ['^.*$', 'https://ü.example/ä ö', {}, 'https://%C3%BC.example/%C3%A4%20%C3%B6'],
    ['^.*$', 'https://a/\r\nSet-Cookie: x', {}, 'https://a/%0D%0ASet-Cookie:%20x'],
    ['^.*$', 'https://a/%zz', {}, 'https://a/%25zz'],
    ['^http://(.*)', 'https://$1', { headers: ['X-Forwarded-Proto', 'https'], trusted: true }, 'https://example.com/'],
  ])('%j → %j', (regex, replacement, request, expected) => {
    expect(locationOf({ redirectRegex: { regex, replacement } }, request)).toBe(expected);
  });

  it('answers as redirectScheme does', () => {
    const compiled = compile({ redirectRegex: { regex: '^http:', replacement: 'https:', permanent: true } });
    expect(compiled.run({ method: 'GET' }).client.status).toBe(301);
    expect(compiled.run({ method: 'POST' }).client.status).toBe(308);
  });

  it('refuses an invalid expression', () => {
    expect(() => compile({ redirectRegex: { regex: 'a(', replacement: '' } })).toThrow('redirectRegex.regex');
  });
});
