import { afterEach, beforeEach, expect, it } from 'vitest';
import { Health } from '../../../src/control/health/health.ts';
import type { Snapshot } from '../../../src/core/snapshot.ts';
import { type HttpUpstream, startHttpUpstream } from '../../support/http-upstreams.ts';
import { waitFor } from '../../support/wait-for.ts';

let health: Health;
let sick: HttpUpstream;
let paths: (string | undefined)[] = [];

beforeEach(async () => {
  paths = [];
  health = new Health({ publish: () => {}, log: () => {} });
  sick = await startHttpUpstream((request, response) => {
    paths.push(request.url);
    response.writeHead(503).end();
  });
});
afterEach(async () => {
  await health.close();
  await sick.close();
});

/** Of one service with this one server, as far as health asks. */
function snapshot(check: Record<string, unknown> | null): Snapshot {
  const healthCheck = {
    method: 'GET',
    status: 0,
    mode: 'http',
    interval: 60_000,
    timeout: 60_000,
    headers: {},
    followRedirects: true,
    unhealthyThreshold: 1,
    healthyThreshold: 1,
    body: '',
    initial: 'unknown',
    ...check,
  };
  const config = { loadBalancer: { servers: [{ url: sick.url, weight: 1, preservePath: false }], healthCheck } };
  const services = check === null ? {} : { 'app@file': { name: 'app@file', status: 'enabled', config } };
  return { http: { services, serversTransports: {} } } as unknown as Snapshot;
}

const isOut = (): boolean => health.table.endpoints.some(({ url, up }) => url === sick.url && !up);

it('a server that is down stays so when its check changes, until the new check has spoken', async () => {
  health.follow(snapshot({}));
  await waitFor('the first check', isOut);
  health.follow(snapshot({ path: '/other', unhealthyThreshold: 3 }));
  expect(isOut()).toBe(true);
  health.follow(snapshot({ status: 503 }));
  expect(isOut()).toBe(true);
  await waitFor('the word of the new check', () => !isOut());
});

it('what is known outlives a file that is empty for a moment', async () => {
  health.follow(snapshot({}));
  await waitFor('the first check', isOut);
  expect(health.drain('app', sick.url, true)).toBe(null);
  health.follow(snapshot(null));
  expect(isOut()).toBe(false);
  health.follow(snapshot({}));
  expect(isOut()).toBe(true);
  expect(health.table.endpoints).toMatchObject([{ draining: true, up: false }]);
});

it('who is drained can be undrained while no file names it', () => {
  health.follow(snapshot({}));
  expect(health.drain('app', sick.url, true)).toBe(null);
  health.follow(snapshot(null));
  expect(health.drain('app', sick.url, false)).toBe(null);
  expect(health.drain('app', sick.url, false)).toMatch(/no service/);
});

it.each([
  ['/health?deep=1', '/health?deep=1'],
  ['health', '/health'],
  ['/with space', '/with%20space'],
  ['', '/'],
])('the path %o is asked for as %s', async (path, asked) => {
  health.follow(snapshot({ path }));
  await waitFor('the check', () => paths[0] === asked);
});
