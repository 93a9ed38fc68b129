import { get, HOST, head, type RequestCase, refused, SMUGGLED, served } from '../request-case.ts';

const NAME = 'RFC 9112 §5.1';
const TOKEN = 'RFC 9110 §5.6.2';
const VALUE = 'RFC 9110 §5.5';
const FOLD = 'RFC 9112 §5.2';
const LINES = 'RFC 9112 §2.2';

const seen = { line: 'GET /case' };

/** Field lines and the line ends around them. */
export const FIELDS: readonly RequestCase[] = [
  refused('a space before the colon', NAME, get('X-A : b')),
  refused('a tab before the colon', NAME, get('X-A\t: b')),
  refused('a vertical tab before the colon', NAME, get('X-A\x0b: b')),
  refused('a no-break space before the colon', NAME, get('X-A\xa0: b')),
  refused('a line without colon', NAME, get('X-A')),
  refused('a line without colon at the end of the head', NAME, get('X-A: b', 'junk')),
  refused('an empty name', TOKEN, get(': b')),
  refused('a name with a space', TOKEN, get('X A: b')),
  ...['(', ')', '<', '>', '@', ',', ';', '\\', '"', '/', '[', ']', '?', '=', '{', '}'].map((character) =>
    refused(`a name with ${character}`, TOKEN, get(`X${character}A: b`)),
  ),
  refused('a name with a NUL', TOKEN, get('X\0A: b')),
  refused('a name with a control character', TOKEN, get('X\x01A: b')),
  refused('a name with DEL', TOKEN, get('X\x7fA: b')),
  refused('a name with a high byte', TOKEN, get('X\xc4A: b')),
  refused('a name that ends in CR', TOKEN, get('X-A\r: b')),

  ...['\x00', '\x01', '\x07', '\x08', '\x0b', '\x0c', '\x0e', '\x1b', '\x1f', '\x7f'].map((character) =>
    refused(
      `a value with \\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
      VALUE,
      get(`X-A: b${character}c`),
    ),
  ),
  refused('a value that starts with a NUL', VALUE, get('X-A: \0b')),
  refused('a value that ends with a NUL', VALUE, get('X-A: b\0')),
  refused('a NUL that splits a value in C', VALUE, get('X-A: b\0\r\nX-B: c')),
  refused('a bare CR in a value', LINES, get('X-A: b\rc')),
  refused('a bare CR that hides a field', LINES, get('X-A: b\rTransfer-Encoding: chunked')),
  refused('a bare CR at the start of a value', LINES, get('X-A:\rb')),
  refused('CR CR LF at the end of a line', LINES, get('X-A: b\r')),
  refused('CR alone as an empty line', LINES, `GET /case HTTP/1.1\r\n${HOST}\r\n\r\r\n`),
  refused('CR as the only line end', LINES, `GET /case HTTP/1.1\r${HOST}\r\r`),

  refused('a bare LF in a value', LINES, get('X-A: b\nX-B: c')),
  refused('a bare LF that hides a request', LINES, get(`X-A: b\n\n${SMUGGLED.trimEnd()}`)),
  refused('a bare LF behind the request line', LINES, `GET /case HTTP/1.1\n${HOST}\r\n\r\n`),
  refused('a bare LF behind a field', LINES, `GET /case HTTP/1.1\r\n${HOST}\nX-A: b\r\n\r\n`),
  refused('a bare LF behind the last field', LINES, `GET /case HTTP/1.1\r\n${HOST}\n\r\n`),
  refused('a bare LF as the empty line', LINES, `GET /case HTTP/1.1\r\n${HOST}\r\n\n`),
  refused('bare LF all over', LINES, `GET /case HTTP/1.1\n${HOST}\n\n`),
  refused('a bare LF before Transfer-Encoding', LINES, get('X-A: b\nTransfer-Encoding: chunked', 'Content-Length: 5')),

  refused('a folded value', FOLD, get('X-A: b', ' c')),
  refused('a value folded with a tab', FOLD, get('X-A: b', '\tc')),
  refused('a value folded twice', FOLD, get('X-A: b', ' c', ' d')),
  refused('a fold with an empty first line', FOLD, get('X-A:', ' b')),
  refused('a fold with only whitespace', FOLD, get('X-A: b', ' ')),
  refused('a fold that looks like a field', FOLD, get('X-A: b', ' Transfer-Encoding: chunked')),

  served('an empty value', VALUE, get('X-A:'), { ...seen, headers: { 'x-a': '' } }),
  served('a value of only whitespace', VALUE, get('X-A: \t '), { ...seen, headers: { 'x-a': '' } }),
  served('no space behind the colon', 'RFC 9112 §5', get('X-A:b'), { ...seen, headers: { 'x-a': 'b' } }),
  served('much whitespace around a value', 'RFC 9112 §5', get('X-A: \t  b \t '), { ...seen, headers: { 'x-a': 'b' } }),
  served('a tab inside a value', VALUE, get('X-A: b\tc'), { ...seen, headers: { 'x-a': 'b\tc' } }),
  served('high bytes in a value', VALUE, get('X-A: \x80\xe4\xff'), { ...seen, headers: { 'x-a': '\x80\xe4\xff' } }),
  served('a colon in a value', VALUE, get('X-A: b:c: d'), { ...seen, headers: { 'x-a': 'b:c: d' } }),
  served('quotes and commas in a value', VALUE, get('X-A: "b, c" ; d="\\""'), {
    ...seen,
    headers: { 'x-a': '"b, c" ; d="\\""' },
  }),
  served('a name with every allowed character', TOKEN, get("X!#$%&'*+-.^_`|~09az: b"), {
    ...seen,
    headers: { "x!#$%&'*+-.^_`|~09az": 'b' },
  }),
  served('a name of one character', TOKEN, get('X: b'), { ...seen, headers: { x: 'b' } }),
  served('a name of digits', TOKEN, get('123: b'), { ...seen, headers: { 123: 'b' } }),
  served('a name with an underscore', TOKEN, get('X_A: b'), { ...seen, headers: { x_a: 'b' } }),
  served('names in any case', 'RFC 9110 §5.1', head('GET /case HTTP/1.1', 'hOsT: app.test', 'aCCept: x/y'), {
    ...seen,
    headers: { accept: 'x/y' },
  }),
  served('a field that comes twice keeps both values in order', 'RFC 9110 §5.3', get('X-A: 1', 'X-A: 2'), {
    ...seen,
    headers: { 'x-a': '1, 2' },
  }),
  served(
    'names that JavaScript objects have already',
    'CWE-1321: prototype pollution',
    get('__proto__: a', 'constructor: b', 'hasOwnProperty: c'),
    {
      ...seen,
      headers: { constructor: 'b', hasownproperty: 'c' },
    },
  ),
  served('one empty line before the request', LINES, `\r\n${get()}`, seen),
];
