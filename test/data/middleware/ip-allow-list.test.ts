import { describe, expect, it } from 'vitest';
import { type FakeRequest, fakePeer } from '../../support/fake-client.ts';
import { compile } from './run.ts';

function passes(config: unknown, request: FakeRequest): boolean {
  const { client, upstream } = compile({ ipAllowList: config }).run(request);
  expect(client.status).toBe(upstream.called ? 200 : 403);
  return upstream.called;
}

const forwarded = (...lines: string[]): FakeRequest => ({
  address: '10.0.0.1',
  trusted: true,
  headers: lines.flatMap((line) => ['X-Forwarded-For', line]),
});

describe('ipAllowList', () => {
  it.each([
    [['192.0.2.1'], '192.0.2.1', true],
    [['192.0.2.1'], '192.0.2.2', false],
    [['10.0.0.0/8', '192.0.2.0/24'], '192.0.2.77', true],
    [['0.0.0.0/0'], '1.2.3.4', true],
    [['0.0.0.0/0'], '::1', false],
    [['::/0'], '1.2.3.4', false],
    [['fd00::/8'], 'fd12::1', true],
    [['fd00::/8'], 'fe80::1', false],
    [['2001:db8::1'], '2001:DB8:0::1', true],
    [['192.0.2.0/24'], '::ffff:192.0.2.9', true],
    [['::ffff:192.0.2.0/120'], '192.0.2.9', true],
    [['fe80::/10'], 'fe80::1%eth0', true],
    [[' 192.0.2.1 '], '192.0.2.1', true],
  ])('%j and the peer %s: %s', (sourceRange, address, expected) => {
    expect(passes({ sourceRange }, { address })).toBe(expected);
  });

  it('does not believe X-Forwarded-For without a strategy', () => {
    expect(passes({ sourceRange: ['1.1.1.1'] }, forwarded('1.1.1.1'))).toBe(false);
  });

  it.each([
    [1, ['1.1.1.1, 2.2.2.2'], '2.2.2.2', true],
    [2, ['1.1.1.1, 2.2.2.2'], '1.1.1.1', true],
    [3, ['1.1.1.1, 2.2.2.2'], '1.1.1.1', false],
    [1, ['1.1.1.1', '2.2.2.2'], '2.2.2.2', true],
    [1, ['1.1.1.1', '2.2.2.2'], '1.1.1.1', false],
    [1, ['2.2.2.2:4711'], '2.2.2.2', true],
    [1, ['[fd00::1]:4711'], 'fd00::1', true],
    [1, ['nonsense'], '0.0.0.0/0', false],
    [1, [], '0.0.0.0/0', false],
    [1, [''], '0.0.0.0/0', false],
  ])('depth %i of %j against %s: %s', (depth, lines, source, expected) => {
    expect(passes({ sourceRange: [source], ipStrategy: { depth } }, forwarded(...lines))).toBe(expected);
  });

  it.each([
    [['10.0.0.0/8'], '1.1.1.1, 10.0.0.2, 10.0.0.3', '1.1.1.1', true],
    [['10.0.0.0/8'], '1.1.1.1, 2.2.2.2, 10.0.0.3', '1.1.1.1', false],
    [['10.0.0.0/8'], '1.1.1.1, 10.0.0.3:80, ', '1.1.1.1', true],
    [['10.0.0.0/8'], '10.0.0.2, 10.0.0.3', '10.0.0.0/8', false],
    [['10.0.0.0/8'], '1.1.1.1, unknown', '1.1.1.1', false],
  ])('without %j, %j against %s: %s', (excludedIPs, line, source, expected) => {
    expect(passes({ sourceRange: [source], ipStrategy: { excludedIPs } }, forwarded(line))).toBe(expected);
  });

  it('does not believe the X-Forwarded-For of a peer that is not trusted', () => {
    const request = { ...forwarded('1.1.1.1'), trusted: false };
    expect(passes({ sourceRange: ['1.1.1.1'], ipStrategy: { depth: 1 } }, request)).toBe(false);
    expect(passes({ sourceRange: ['1.1.1.1'], ipStrategy: { excludedIPs: ['10.0.0.0/8'] } }, request)).toBe(false);
  });

  it('groups IPv6 addresses by subnet', () => {
    const config = { sourceRange: ['2001:db8:1::'], ipStrategy: { ipv6Subnet: 48 } };
    expect(passes(config, { address: '2001:db8:1:2::3' })).toBe(true);
    expect(passes(config, { address: '2001:db8:2::3' })).toBe(false);
    expect(passes({ ...config, ipStrategy: { ipv6Subnet: 48, depth: 1 } }, forwarded('2001:db8:1::9'))).toBe(true);
  });

  it('keeps one verdict for a connection, and each connection its own', () => {
    const compiled = compile({ ipAllowList: { sourceRange: ['192.0.2.1'] } });
    const allowed = fakePeer({ address: '192.0.2.1' });
    const refused = fakePeer({ address: '192.0.2.2' });
    for (const [peer, expected] of [
      [allowed, true],
      [refused, false],
      [allowed, true],
      [refused, false],
    ] as const) {
      expect(compiled.run({ peer }).upstream.called).toBe(expected);
    }
  });

  it('answers with the status asked for', () => {
    const { client } = compile({ ipAllowList: { sourceRange: ['1.1.1.1'], rejectStatusCode: 404 } }).run();
    expect([client.status, client.body]).toEqual([404, 'Not Found']);
  });

  it.each([
    [{}, 'sourceRange is empty'],
    [{ sourceRange: ['10.0.0.0/33'] }, 'no range such as'],
    [{ sourceRange: ['example.com'] }, 'no IP address'],
    [{ sourceRange: ['10.0.0.1'], rejectStatusCode: 999 }, 'rejectStatusCode'],
    [{ sourceRange: ['10.0.0.1'], rejectStatusCode: 101 }, 'rejectStatusCode'],
    [{ sourceRange: ['10.0.0.1'], ipStrategy: { depth: -1 } }, 'depth'],
    [{ sourceRange: ['10.0.0.1'], ipStrategy: { excludedIPs: ['x'] } }, 'excludedIPs'],
    [{ sourceRange: ['10.0.0.1'], ipStrategy: { ipv6Subnet: 129 } }, 'ipv6Subnet'],
  ])('refuses %j', (config, message) => {
    expect(() => compile({ ipAllowList: config })).toThrow(message);
  });
});

it('ipWhiteList is the same, with 403', () => {
  const { client } = compile({ ipWhiteList: { sourceRange: ['1.1.1.1'] } }).run();
  expect([client.status, client.body]).toEqual([403, 'Forbidden']);
  expect(compile({ ipWhiteList: { sourceRange: ['192.0.2.0/24'] } }).run().upstream.called).toBe(true);
});
