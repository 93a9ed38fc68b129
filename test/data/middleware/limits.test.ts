import { describe, expect, it } from 'vitest';
import { LimitBook } from '../../../src/control/limits/limit-book.ts';
import type { SourceCriterion } from '../../../src/core/config/dynamic.ts';
import { LimitDesk } from '../../../src/data/limits/limit-desk.ts';
import { goDuration } from '../../../src/data/middleware/go-duration.ts';
import { sourceKey } from '../../../src/data/middleware/source-key.ts';
import { fakeExchange } from '../../support/fake-client.ts';
import { compile, decode } from './run.ts';

/** One worker, and a primary that answers at once. */
function desk(): LimitDesk {
  const book = new LimitBook(
    (_worker, message) => own.receive(message),
    () => {},
  );
  const own: LimitDesk = new LimitDesk((message) => book.receive(1, message));
  return own;
}

/** A criterion as it is decoded. */
function criterion(written: object): SourceCriterion | undefined {
  return decode({ inFlightReq: { amount: 1, sourceCriterion: written } }).inFlightReq?.sourceCriterion;
}

describe('rateLimit', () => {
  it('answers 429 with Retry-After and X-Retry-In, and nothing reaches the upstream', () => {
    const limited = compile({ rateLimit: { average: 1, period: '1m', burst: 2 } }, desk());
    const answers = [limited.run(), limited.run(), limited.run()];
    expect(answers.map(({ client }) => client.status)).toEqual([200, 200, 429]);
    const { client, upstream, exchange } = answers[2]!;
    expect(upstream.called).toBe(false);
    expect([client.body, client.header('retry-after')]).toEqual(['Too Many Requests', '60']);
    expect(client.header('x-retry-in')).toMatch(/^(59\.\d+s|1m0s)$/);
    expect(exchange.error?.code).toBe('CLIENT_RATE_LIMIT');
  });

  it('counts each source by itself', () => {
    const limited = compile({ rateLimit: { average: 1, period: '1h' } }, desk());
    const statuses = ['192.0.2.1', '192.0.2.1', '192.0.2.2'].map((address) => limited.run({ address }).client.status);
    expect(statuses).toEqual([200, 429, 200]);
  });

  it('is not there where average is 0', () => {
    const limited = compile({ rateLimit: { burst: 1 } });
    expect([limited.run(), limited.run()].map(({ client }) => client.status)).toEqual([200, 200]);
  });
});

describe('inFlightReq', () => {
  it('counts those that are under way, for each host, and answers 429 over the limit', () => {
    const limited = compile({ inFlightReq: { amount: 1 } }, desk());
    const held = { seen: [], handler: () => {}, called: false } as never;
    const first = limited.run({ authority: 'a.test' }, held);
    const second = limited.run({ authority: 'a.test' });
    expect([second.client.status, second.client.body]).toEqual([429, 'max connections reached: 1']);
    expect(second.exchange.error?.code).toBe('CLIENT_IN_FLIGHT_LIMIT');
    expect(limited.run({ authority: 'b.test' }).client.status).toBe(200);
    first.exchange.finish();
    expect(limited.run({ authority: 'a.test' }).client.status).toBe(200);
  });

  it('refuses a configuration that would let nobody pass', () => {
    expect(() => compile({ inFlightReq: {} }, desk())).toThrow('amount');
  });
});

describe('sourceKey', () => {
  const key = (
    written: object,
    request: Parameters<typeof fakeExchange>[0],
    otherwise: 'peer' | 'requestHost' = 'peer',
  ) => sourceKey(criterion(written), otherwise, 'x')(fakeExchange(request).exchange);
  const forwarded = { headers: ['X-Forwarded-For', '203.0.113.7, 10.0.0.1'], trusted: true };

  it.each([
    ['the peer', {}, { address: '192.0.2.9' }, '192.0.2.9'],
    ['nobody, where there are too few addresses', { ipStrategy: { depth: 3 } }, forwarded, ''],
    ['the host without its port', { requestHost: true }, { authority: 'A.test:8080' }, 'a.test'],
    ['nobody, without the header', { requestHeaderName: 'X-Key' }, {}, ''],
  ])('is %s', (_what, written, request, expected) => {
    expect(key(written, request)).toBe(expected);
  });

  it('is the host for inFlightReq unless told', () => {
    expect(key({}, { authority: 'A.test' }, 'requestHost')).toBe('a.test');
  });

  it('reads addresses by depth, without those excluded, and groups IPv6', () => {
    const byDepth = key({ ipStrategy: { depth: 2 } }, forwarded);
    expect(byDepth).not.toBe('');
    expect(key({ ipStrategy: { excludedIPs: ['10.0.0.0/8'] } }, forwarded)).toBe(byDepth);
    const subnet = { ipStrategy: { ipv6Subnet: 64 } };
    expect(key(subnet, { address: '2001:db8::1' })).toBe(key(subnet, { address: '2001:db8::ffff' }));
    expect(key(subnet, { address: '2001:db8::1' })).not.toBe(key(subnet, { address: '2001:db8:0:1::1' }));
  });

  it('is a hash of a header, whatever its length', () => {
    const one = key({ requestHeaderName: 'X-Key' }, { headers: ['x-key', 'secret'.repeat(1000)] });
    expect(one).toMatch(/^[\w-]{43}$/);
    expect(key({ requestHeaderName: 'X-Key' }, { headers: ['x-key', 'other'] })).not.toBe(one);
  });

  it('is one of them', () => {
    expect(() => sourceKey(criterion({ requestHost: true, requestHeaderName: 'X-Key' }), 'peer', 'x')).toThrow(
      'exclude',
    );
  });
});

describe('goDuration', () => {
  it.each([
    [0, '0s'],
    [0.00025, '250ns'],
    [0.0015, '1.5µs'],
    [995.48, '995.48ms'],
    [1000, '1s'],
    [62_500, '1m2.5s'],
    [3_600_000, '1h0m0s'],
  ])('%d ms is %s', (ms, text) => {
    expect(goDuration(ms)).toBe(text);
  });
});
