import { describe, expect, it } from 'vitest';
import { alpnServerName, identifier, nameSet, setKey } from '../../../src/control/acme/names.ts';

describe('the names of a certificate', () => {
  it('are lower case, ASCII, without trailing dots and repetitions; the first stays the first', () => {
    expect(nameSet('B.test.', ['a.test', 'b.TEST', 'bücher.test', '*.Bücher.test'])).toEqual([
      'b.test',
      'a.test',
      'xn--bcher-kva.test',
      '*.xn--bcher-kva.test',
    ]);
    expect(nameSet('', [' '])).toBeNull();
  });

  it('may be addresses, in one way of writing', () => {
    expect(nameSet('127.0.0.1', ['0:0:0:0:0:0:0:1', '[::1]'])).toEqual(['127.0.0.1', '::1']);
    expect(identifier('::1')).toEqual({ type: 'ip', value: '::1' });
    expect(identifier('*.a.test')).toEqual({ type: 'dns', value: '*.a.test' });
  });

  it('are the same set in any order, for one resolver', () => {
    expect(setKey('r', ['a', 'b'])).toBe(setKey('r', ['b', 'a']));
    expect(setKey('r', ['a'])).not.toBe(setKey('s', ['a']));
  });

  it('are asked for by their reverse where they are addresses (RFC 8738 section 6)', () => {
    expect(alpnServerName('a.test')).toBe('a.test');
    expect(alpnServerName('10.0.0.153')).toBe('153.0.0.10.in-addr.arpa');
    expect(alpnServerName('2001:db8::1')).toBe(
      '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    );
  });
});
