import { get, HOST, head, NO_ANSWER, type RequestCase, refused, served } from '../request-case.ts';

/** The entry points under test allow heads of 32 KiB. */
export const MAX_HEADER_BYTES = 32_768;

const OVER = MAX_HEADER_BYTES + 8_192;

/** Heads that are too long, too many, too slow, or end too early. */
export const LIMITS: readonly RequestCase[] = [
  refused(
    'a target that is too long',
    'RFC 9110 §15.5.15',
    head(`GET /${'a'.repeat(OVER)} HTTP/1.1`, HOST),
    [414, 431],
  ),
  refused(
    'a query that is too long',
    'RFC 9110 §15.5.15',
    head(`GET /case?${'a'.repeat(OVER)} HTTP/1.1`, HOST),
    [414, 431],
  ),
  refused('a request line without end', 'RFC 9112 §3', `GET /${'a'.repeat(OVER)}`, [414, 431], { alone: true }),
  // No target is too long here: there is none.
  refused('a method without end', 'RFC 9112 §3', 'A'.repeat(OVER), 400, { alone: true }),
  refused('a method of 100 KB', 'RFC 9112 §3', head(`${'A'.repeat(100_000)} /case HTTP/1.1`, HOST), 400),
  refused('a method of 30 KB', 'RFC 9112 §3', head(`${'A'.repeat(30_000)} /case HTTP/1.1`, HOST), 400),
  refused(
    'a method and a target that are too long together',
    'RFC 9112 §3',
    head(`${'A'.repeat(20_000)} /${'a'.repeat(20_000)} HTTP/1.1`, HOST),
    400,
  ),
  refused('a method of 129 bytes', 'RFC 9112 §3', head(`${'A'.repeat(129)} /case HTTP/1.1`, HOST), 400),
  served('a method of 128 bytes', 'RFC 9112 §3', head(`${'A'.repeat(128)} /case HTTP/1.1`, HOST), {
    line: `${'A'.repeat(128)} /case`,
  }),
  refused('a value that is too long', 'RFC 6585 §5', get(`X-A: ${'b'.repeat(OVER)}`), 431),
  refused('a name that is too long', 'RFC 6585 §5', get(`${'a'.repeat(OVER)}: b`), 431),
  refused('a head of 1 MiB', 'RFC 6585 §5', get(`X-A: ${'b'.repeat(1024 * 1024)}`), 431),
  refused('10,000 fields', 'RFC 6585 §5', get(...new Array<string>(10_000).fill('a: b')), 431),
  refused('a field without end', 'RFC 6585 §5', `GET /case HTTP/1.1\r\n${HOST}\r\nX-A: ${'b'.repeat(OVER)}`, 431, {
    alone: true,
  }),
  refused(
    'fields that are too long together',
    'RFC 6585 §5',
    get(...Array.from({ length: 50 }, () => `X-A: ${'b'.repeat(1000)}`)),
    431,
  ),
  refused(
    '2,300 fields before the length',
    'CVE-2026-58044',
    get(...new Array<string>(2_300).fill('a:b'), 'Content-Length: 5') + 'abcde',
    431,
  ),
  refused('a cookie that is too long', 'RFC 6585 §5', get(`Cookie: a=${'b'.repeat(OVER)}`), 431),
  refused('empty lines without end', 'RFC 9112 §2.2', '\r\n'.repeat(OVER / 2), [400, 414, 431, NO_ANSWER], {
    alone: true,
  }),

  refused('a head that never ends', 'RFC 9110 §15.5.9', `GET /case HTTP/1.1\r\n${HOST}\r\n`, [408, NO_ANSWER], {
    alone: true,
    impatient: true,
  }),
  refused('half a request line', 'RFC 9110 §15.5.9', 'GET /ca', [408, NO_ANSWER], { alone: true, impatient: true }),
  refused('one empty line and silence', 'RFC 9110 §15.5.9', '\r\n', [408, NO_ANSWER], { alone: true, impatient: true }),
  refused('SOCKS5', 'RFC 1928 §3', '\x05\x01\x00', [400, 408, NO_ANSWER], { alone: true, impatient: true }),
  refused('a TLS record cut short', 'RFC 8446 §5.1', '\x16\x03\x01\x02\x00\x01', [400, 408, NO_ANSWER], {
    alone: true,
    impatient: true,
  }),

  refused('the end inside the request line', 'RFC 9112 §8', 'GET /case HT', 400, {
    alone: true,
    end: true,
  }),
  refused('the end inside a field', 'RFC 9112 §8', `GET /case HTTP/1.1\r\n${HOST}\r\nX-`, 400, {
    alone: true,
    end: true,
  }),
  refused('the end before the empty line', 'RFC 9112 §8', `GET /case HTTP/1.1\r\n${HOST}\r\n`, 400, {
    alone: true,
    end: true,
  }),
  refused('the end inside the empty line', 'RFC 9112 §8', `GET /case HTTP/1.1\r\n${HOST}\r\n\r`, 400, {
    alone: true,
    end: true,
  }),

  served('a long target', 'RFC 9112 §3: 8000 octets at least', head(`GET /${'a'.repeat(8_000)} HTTP/1.1`, HOST), {
    line: `GET /${'a'.repeat(8_000)}`,
  }),
  served('a long value', 'RFC 6585 §5', get(`X-A: ${'b'.repeat(16_000)}`), { headers: { 'x-a': 'b'.repeat(16_000) } }),
  served('a hundred fields', 'RFC 6585 §5', get(...Array.from({ length: 95 }, (_, index) => `X-${index}: b`)), {
    headers: { 'x-94': 'b' },
  }),
];
