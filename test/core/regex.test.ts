// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Go writes groups of a replacement so
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { compileRegex, MAX_PATTERN_LENGTH, type Regex } from '../../src/core/regex.ts';
import { nativeEquivalent } from '../../src/core/regex-native.ts';

function regex(pattern: string): Regex {
  const result = compileRegex(pattern);
  if (!result.ok) throw new Error(result.message);
  return result.regex;
}

describe('compileRegex', () => {
  it.each([
    ['a', 'bab', true],
    ['^a', 'ba', false],
    ['a$', 'a\n', false],
    ['(?i)FOO', 'xfoo', true],
    ['(?i:A)b', 'aB', false],
    ['(?P<n>a)b', 'ab', true],
    ['[[:alpha:]]+$', '12ab', true],
    ['\\Aab\\z', 'ab', true],
    ['(?s)a.b', 'a\nb', true],
    ['a.b', 'a\nb', false],
    ['a.b', 'a\rb', true],
    ['^.$', '😀', true],
    ['\\pL', 'é', true],
    ['\\d', '٣', false],
  ])('%s on %j: %s, as Go does', (pattern, text, expected) => {
    expect(regex(pattern).test(text)).toBe(expected);
    expect(regex(pattern).find(text) !== null).toBe(expected);
  });

  it.each([
    '(',
    '[z-a]',
    'x**',
    'a{1001}',
    '(((a{100}){100}){100})',
    '(?=a)',
    '\\1',
    'a'.repeat(MAX_PATTERN_LENGTH + 1),
    '(\\pL{1000}){1}\\pL{1000}',
  ])('refuses %.30s with a message', (pattern) => {
    const result = compileRegex(pattern);
    expect(result.ok ? '' : result.message).toContain('regular expression');
  });

  it('takes a character outside the BMP as one, whichever engine runs', () => {
    for (const pattern of ['[^/]$', '^.$', '^[^a]$', '^(.)$']) expect(regex(pattern).test('😀')).toBe(true);
    expect(regex('^..$').test('😀')).toBe(false);
  });

  it('finds the first match', () => {
    expect(regex('b+').find('abbc')).toEqual([1, 3]);
    expect(regex('x').find('abbc')).toBeNull();
  });

  // Each expectation is what Go's regexp.ReplaceAllString gives.
  it.each([
    ['^http://(.*)$', 'http://a/b', 'https://$1', 'https://a/b'],
    ['(?P<h>[a-z]+)\\.', 'foo.bar.x', '${h}-$h-', 'foo-foo-bar-bar-x'],
    ['(a)', 'a', '$1x', ''],
    ['(a)', 'a', '${1}x', 'ax'],
    ['(a)', 'a', '$$1', '$1'],
    ['(a)', 'a', '$', '$'],
    ['(a)', 'a', '$9${nope}', ''],
    ['(a)', 'a', '$0$0', 'aa'],
    ['(a)|b', 'ab', '[$1]', '[a][]'],
    ['', 'abc', '-', '-a-b-c-'],
    ['a*', 'baac', 'x', 'xbxcx'],
    ['b*', '😀b', 'x', 'x😀x'],
    ['^a', 'aaa', 'x', 'xaa'],
    ['x', 'abc', 'y', 'abc'],
    ['a', 'a', '', ''],
    ['^', '', 'z', 'z'],
  ])('replaces %s in %j by %s', (pattern, text, replacement, expected) => {
    expect(regex(pattern).replace(text, replacement)).toBe(expected);
  });

  it('takes linear time where a backtracking engine takes for ever', () => {
    for (const pattern of ['^(a+)+$', '(x+x+)+y', `${'a?'.repeat(30)}${'a'.repeat(30)}`, '^(a|a)*b$', '.*.*.*=.*']) {
      // It would not end within the age of the test runner.
      expect(regex(pattern).test('a'.repeat(29) + 'x'.repeat(3000))).toBe(false);
    }
  });
});

describe('nativeEquivalent', () => {
  it.each(['^/api/v[0-9]+/', '\\.png$', '(?i)^[a-z0-9-]+\\.example\\.com$', '^.+$', '^a-b\\-c$'])(
    'takes %s',
    (pattern) => {
      expect(nativeEquivalent(pattern)).toBeInstanceOf(RegExp);
    },
  );

  it.each([
    'a+',
    '^a+b+',
    '^(a+)+$',
    'a|b',
    'a{2}',
    '^a*?',
    '^a?b?c?d?',
    '[[:alpha:]]',
    '\\pL',
    'a(?i)b',
    '^a++',
    '\\bx',
    '(?P<n>a)',
  ])('leaves %s to RE2', (pattern) => {
    expect(nativeEquivalent(pattern)).toBeUndefined();
  });

  it('accepts exactly what RE2 accepts', () => {
    const atom = fc.constantFrom(
      'a',
      'K',
      's',
      '/',
      '-',
      '.',
      '\\.',
      '\\-',
      '\\d',
      '[a-c]',
      '[^/]',
      '[a-z0-9-]',
      '[a\\-.]',
      '[^a\\/]',
      ':',
      '\\+',
      '_',
    );
    const quantified = fc.tuple(atom, fc.constantFrom('', '', '', '+', '*', '?')).map(([a, q]) => a + q);
    const pattern = fc
      .tuple(
        fc.constantFrom('', '(?i)'),
        fc.constantFrom('', '^'),
        fc.array(quantified, { maxLength: 5 }),
        fc.constantFrom('', '$'),
      )
      .map(([flags, start, atoms, end]) => flags + start + atoms.join('') + end);
    const text = fc.array(
      fc.constantFrom(
        'a',
        'b',
        'k',
        'K',
        '\u212a',
        'ſ',
        's',
        '/',
        '-',
        '.',
        '1',
        ':',
        '+',
        '\n',
        '\r',
        '\u2028',
        '😀',
        'é',
      ),
      { maxLength: 6 },
    );
    let taken = 0;
    fc.assert(
      fc.property(pattern, text, (p, t) => {
        const native = nativeEquivalent(p);
        if (native === undefined) return;
        taken++;
        const expected = RE2JS.compile(p).test(t.join(''));
        expect(regex(p).test(t.join(''))).toBe(expected);
        if (/^[\x00-\x7f]*$/.test(t.join(''))) expect(native.test(t.join(''))).toBe(expected);
      }),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(500);
  });
});
