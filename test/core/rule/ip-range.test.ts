import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inRange, parseIp, parseIpRange } from '../../../src/core/rule/ip-range.ts';

function within(ip: string, range: string): boolean {
  const words = parseIp(ip);
  const parsed = parseIpRange(range);
  if (words === undefined || parsed === undefined) throw new Error(`${ip} or ${range} does not parse`);
  return inRange(words, parsed);
}

describe('address ranges', () => {
  it.each([
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.1.2.3', '10.0.0.0/8', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['255.255.255.255', '128.0.0.0/1', true],
    ['1.2.3.4', '0.0.0.0/0', true],
    ['10.9.9.9', '10.1.2.3/8', true],
    ['fd12::1', 'fd00::/8', true],
    ['fe80::1%eth0', 'fe80::/10', true],
    ['::1', '0.0.0.0/0', false],
    ['::ffff:10.0.0.1', '10.0.0.0/8', true],
    ['10.0.0.1', '::ffff:10.0.0.0/104', true],
    ['10.0.0.1', '::/0', false],
  ])('%s in %s: %s', (ip, range, expected) => {
    expect(within(ip, range)).toBe(expected);
  });

  it.each([
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.4/',
    '1.2.3.4/-1',
    '1.2.3.4/08',
    '1.2.3.4/33',
    ':::',
    '1::2::3',
    '1:2',
    '::12345',
    '::1/129',
    'a.b.c.d',
  ])('%j is none', (text) => {
    expect(parseIpRange(text)).toBeUndefined();
  });

  it('reads what node:net takes for an address, and nothing else', () => {
    const text = fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{1,20}$/));
    fc.assert(fc.property(text, (t) => (parseIp(t) !== undefined) === (isIP(t) !== 0)));
  });

  it('agrees with node:net about what is in a range', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.nat(32), (ip, net, length) => {
        const list = new BlockList();
        list.addSubnet(net, length);
        expect(within(ip, `${net}/${length}`)).toBe(list.check(ip));
      }),
    );
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 128n - 1n), fc.nat(128), fc.nat(127), (n, length, flip) => {
        const text = (v: bigint) =>
          v
            .toString(16)
            .padStart(32, '0')
            .replace(/(.{4})(?!$)/g, '$1:');
        fc.pre(n >> 32n !== 0xffffn);
        // The address differs from the network in one bit: it is inside exactly when that bit does not count.
        expect(within(text(n ^ (1n << BigInt(127 - flip))), `${text(n)}/${length}`)).toBe(flip >= length);
      }),
    );
  });
});
