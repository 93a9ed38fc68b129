import { describe, expect, it } from 'vitest';
import { IMPLEMENTED_MIDDLEWARES } from '../../../src/core/capabilities.ts';
import type { MiddlewareSnapshot } from '../../../src/core/snapshot.ts';
import type { Handler } from '../../../src/data/exchange.ts';
import { MiddlewareCache } from '../../../src/data/middleware/cache.ts';
import { compilePipeline } from '../../../src/data/middleware/pipeline.ts';
import { MIDDLEWARES } from '../../../src/data/middleware/registry.ts';
import { FakeUpstream, fakeExchange } from '../../support/fake-client.ts';
import { decode } from './run.ts';

type Written = Readonly<Record<string, unknown>>;

function snapshot(
  written: Written,
  status: MiddlewareSnapshot['status'] = 'enabled',
): Record<string, MiddlewareSnapshot> {
  const middlewares: Record<string, MiddlewareSnapshot> = {};
  for (const [name, config] of Object.entries(written)) {
    middlewares[name] = { name, status, errors: status === 'disabled' ? ['it is bad'] : [], config: decode(config) };
  }
  return middlewares;
}

function pathThrough(names: readonly string[], written: Written, warnings: string[] = []): string {
  const upstream = new FakeUpstream();
  const context = {
    log: (_level: string, message: string) => warnings.push(message),
    cache: new MiddlewareCache(),
    router: 'r@file',
    limits: null,
  };
  const { exchange } = fakeExchange({ target: '/x' });
  compilePipeline(names, snapshot(written), context, upstream.handler)(exchange);
  expect(upstream.called).toBe(true);
  return exchange.path;
}

const prefix = (text: string): unknown => ({ addPrefix: { prefix: text } });
const chain = (...middlewares: string[]): unknown => ({ chain: { middlewares } });

it('the registry has what core/capabilities.ts promises', () => {
  expect(Object.keys(MIDDLEWARES).sort()).toEqual([...IMPLEMENTED_MIDDLEWARES].sort());
});

describe('compilePipeline', () => {
  it('runs middlewares in the order written', () => {
    expect(pathThrough(['a@file', 'b@file'], { 'a@file': prefix('/a'), 'b@file': prefix('/b') })).toBe('/b/a/x');
  });

  it('is the last handler alone where there are none', () => {
    const upstream = new FakeUpstream();
    const context = { log: () => {}, cache: new MiddlewareCache(), router: 'r@file', limits: null };
    expect(compilePipeline([], {}, context, upstream.handler)).toBe(upstream.handler);
  });

  it('resolves chains in chains, and names of the chain’s provider', () => {
    const written = {
      'a@file': prefix('/a'),
      'b@file': prefix('/b'),
      'inner@file': chain('b'),
      'outer@file': chain('a@file', 'inner@file', 'a'),
    };
    expect(pathThrough(['outer@file', 'b@file'], written)).toBe('/b/a/b/a/x');
  });

  it('an empty chain does nothing', () => {
    expect(pathThrough(['c@file'], { 'c@file': chain() })).toBe('/x');
  });

  it.each<[string, Written, string]>([
    ['itself', { 'c@file': chain('c') }, 'the chain c@file → c@file contains itself'],
    ['itself by another', { 'c@file': chain('d'), 'd@file': chain('c') }, 'c@file → d@file → c@file contains itself'],
    ['an unknown one', { 'c@file': chain('nope') }, 'the middleware nope@file does not exist (in the chain c@file)'],
    ['none of that name', {}, 'the middleware c@file does not exist'],
  ])('refuses a chain of %s', (_what, written, message) => {
    expect(() => pathThrough(['c@file'], written)).toThrow(message);
  });

  it('refuses names of Object.prototype', () => {
    expect(() => pathThrough(['constructor'], {})).toThrow('does not exist');
  });

  it('refuses chains that grow without bound', () => {
    const written: Record<string, unknown> = { 'c0@file': prefix('/a') };
    for (let i = 1; i <= 40; i++) written[`c${i}@file`] = chain(`c${i - 1}`, `c${i - 1}`);
    expect(() => pathThrough(['c40@file'], written)).toThrow('more than 500 middlewares');
    const empty: Record<string, unknown> = { 'c0@file': chain() };
    for (let i = 1; i <= 40; i++) empty[`c${i}@file`] = chain(`c${i - 1}`, `c${i - 1}`);
    expect(() => pathThrough(['c40@file'], empty)).toThrow('more than 500');
  });

  it('skips with a warning what is not implemented and protects nothing', () => {
    const warnings: string[] = [];
    expect(pathThrough(['c@file', 'a@file'], { 'c@file': { compress: {} }, 'a@file': prefix('/a') }, warnings)).toBe(
      '/a/x',
    );
    expect(warnings).toEqual(['the middleware c@file is skipped: compress is not implemented']);
  });

  it.each([
    { digestAuth: { users: ['a:b:c'] } },
    { forwardAuth: { address: 'http://127.0.0.1' } },
    { plugin: { waf: {} } },
    { encodedCharacters: {} },
  ])('refuses what is not implemented and may protect: %j', (config) => {
    expect(() => pathThrough(['m@file'], { 'm@file': config })).toThrow('to skip it is unsafe');
  });

  it('refuses a middleware that was disabled, and says why', () => {
    const context = { log: () => {}, cache: new MiddlewareCache(), router: 'r@file', limits: null };
    const compile = (): Handler =>
      compilePipeline(['a@file'], snapshot({ 'a@file': prefix('/a') }, 'disabled'), context, () => {});
    expect(compile).toThrow('the middleware a@file is disabled: it is bad');
  });

  it('names the middleware whose configuration cannot be served', () => {
    expect(() => pathThrough(['a@file'], { 'a@file': prefix('') })).toThrow(
      'the middleware a@file: addPrefix.prefix is empty',
    );
  });

  it('hooks of outer middlewares see what inner ones made', () => {
    const written = {
      'outer@file': { headers: { customResponseHeaders: { 'X-A': 'outer' } } },
      'inner@file': { headers: { customResponseHeaders: { 'X-A': 'inner', 'X-B': 'inner' } } },
    };
    const { exchange, client } = fakeExchange();
    const context = { log: () => {}, cache: new MiddlewareCache(), router: 'r@file', limits: null };
    compilePipeline(['outer@file', 'inner@file'], snapshot(written), context, new FakeUpstream().handler)(exchange);
    expect([client.header('x-a'), client.header('x-b')]).toEqual(['outer', 'inner']);
  });
});

describe('MiddlewareCache', () => {
  const config = decode(prefix('/a'));
  const other = decode(prefix('/b'));
  const make = () => (next: Handler) => next;

  it('shares a middleware among routers', () => {
    const cache = new MiddlewareCache();
    expect(cache.take('a@file', config, make)).toBe(cache.take('a@file', decode(prefix('/a')), make));
    expect(cache.size).toBe(1);
  });

  it('takes over what did not change, and only that', () => {
    const first = new MiddlewareCache();
    const a = first.take('a@file', config, make);
    const b = first.take('b@file', config, make);
    const second = new MiddlewareCache(first);
    expect(second.take('a@file', config, make)).toBe(a);
    expect(second.take('b@file', other, make)).not.toBe(b);
    expect(second.take('c@file', config, make)).not.toBe(a);
  });

  it('keeps nothing that its runtime does not use', () => {
    const first = new MiddlewareCache();
    const a = first.take('a@file', config, make);
    const second = new MiddlewareCache(first);
    second.seal();
    expect(second.size).toBe(0);
    expect(second.take('a@file', config, make)).not.toBe(a);
    expect(new MiddlewareCache(new MiddlewareCache(first)).take('a@file', config, make)).not.toBe(a);
  });

  it('remembers verified passwords over a reload', async () => {
    const written = { 'auth@file': { basicAuth: { users: ['cat:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='] } } };
    const headers = ['Authorization', `Basic ${Buffer.from('cat:secret').toString('base64')}`];
    const first = new MiddlewareCache();
    const before = fakeExchange({ headers });
    const log = (): void => {};
    const last = new FakeUpstream().handler;
    compilePipeline(
      ['auth@file'],
      snapshot(written),
      { log, cache: first, router: 'r@file', limits: null },
      last,
    )(before.exchange);
    await before.client.done();
    const after = fakeExchange({ headers });
    compilePipeline(
      ['auth@file'],
      snapshot(written),
      { log, cache: new MiddlewareCache(first), router: 'r@file', limits: null },
      last,
    )(after.exchange);
    expect(after.client.status).toBe(200);
  });
});
