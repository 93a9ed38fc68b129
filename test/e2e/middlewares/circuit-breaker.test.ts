import { expect, it } from 'vitest';
import { startHttpUpstream } from '../../support/http-upstreams.ts';
import { startProxy } from '../../support/proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ask } from '../upstreams/support.ts';
import { through } from './support.ts';

it('opens in all workers, answers at once, lets a growing share pass, and closes', async () => {
  let healthy = true;
  await using upstream = await startHttpUpstream((_request, response) => {
    response.statusCode = healthy ? 200 : 500;
    response.end('from the server');
  });
  const circuitBreaker = {
    expression: 'ResponseCodeRatio(500, 600, 0, 600) > 0.3 || NetworkErrorRatio() > 0.5',
    checkPeriod: '10ms',
    fallbackDuration: '4s',
    recoveryDuration: '4s',
  };
  await using proxy = await startProxy({ workers: 2, dynamic: through({ circuitBreaker }, upstream.url) });
  const status = async (): Promise<number> => (await ask(proxy.port())).status;
  for (let i = 0; i < 10; i++) expect(await status()).toBe(200);
  healthy = false;
  // It opens later than that, and may have been open for a while when that is seen.
  const brokenAt = performance.now();
  await waitFor('the breaker to open', async () => (await status()) === 503, { intervalMs: 1 });
  await proxy.waitForOutput(/the circuit breaker m@file of all@file opened for 4000 ms/);
  // The other worker may hear of it a moment later.
  const refused = await waitFor('both workers to refuse', async () => {
    const before = upstream.requests;
    const responses = await Promise.all(Array.from({ length: 30 }, () => ask(proxy.port())));
    return upstream.requests === before ? responses : null;
  });
  expect([...new Set(refused.map((response) => response.status))]).toEqual([503]);
  // On a machine that stood still for seconds it may be closing by now.
  if (performance.now() - brokenAt < 3_500) expect(Number(refused[0]!.header('retry-after'))).toBeGreaterThan(0);
  healthy = true;
  const seen: number[] = [];
  await waitFor('a first one to pass', async () => seen.push(await status()) > 0 && seen.at(-1) === 200, {
    intervalMs: 1,
    timeoutMs: 20_000,
  });
  const passingAt = performance.now();
  let [passed, turnedAway, inARow, soon] = [0, 0, 0, 0];
  await waitFor(
    'it to be closed',
    async () => {
      const some = await Promise.all(Array.from({ length: 10 }, status));
      const ok = some.filter((one) => one === 200).length;
      passed += ok;
      turnedAway += 10 - ok;
      if (performance.now() - passingAt < 3_000) soon++;
      // One worker may be done a little before the other.
      inARow = ok === 10 ? inARow + 1 : 0;
      return inARow === 8;
    },
    { timeoutMs: 20_000 },
  );
  console.log(
    `open for ${((passingAt - brokenAt) / 1000).toFixed(1)} s, then ${passed} passed and ${turnedAway} were turned away until it closed`,
  );
  // It closes bit by bit: some were turned away meanwhile.
  expect(passingAt - brokenAt).toBeGreaterThan(3_500);
  if (soon > 0) expect(turnedAway).toBeGreaterThan(0);
  for (let i = 0; i < 20; i++) expect(await status()).toBe(200);
});

it('says where an expression is wrong', async () => {
  await using upstream = await startHttpUpstream((_request, response) => void response.end('ok'));
  const expression = 'NetworkErrorRatio() > oops';
  await using proxy = await startProxy({ dynamic: through({ circuitBreaker: { expression } }, upstream.url) });
  await proxy.waitForOutput(/dynamic\.yml:\d+:\d+.*NetworkErrorRatio\(\) is compared with a number/);
});
