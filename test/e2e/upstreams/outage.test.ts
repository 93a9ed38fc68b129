import { describe, expect, it } from 'vitest';
import { startEchoServer } from '../../support/http-upstreams.ts';
import { hang, type Misbehaving, startMisbehaving } from '../../support/misbehaving.ts';
import { freePort } from '../../support/ports.ts';
import { startProxy } from '../../support/proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ask, balanced, services } from './support.ts';

/** Under way at a time: a machine that cannot keep up sends fewer, or what breaks at once is more than may be retried. */
const MOST_OPEN = 100;

/** Sends `perSecond` GETs a second, each on a connection of its own, for so many seconds; returns what was not 200. */
async function load(
  port: number,
  perSecond: number,
  seconds: number,
  during?: (sent: number) => void,
): Promise<string[]> {
  const failures: string[] = [];
  const answers = new Set<Promise<void>>();
  const started = performance.now();
  const total = perSecond * seconds;
  for (let sent = 0; sent < total; sent++) {
    const due = started + (sent * 1000) / perSecond;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    while (answers.size >= MOST_OPEN) await Promise.race(answers);
    during?.(sent);
    const answer = ask(port)
      .then(
        (response) => {
          if (response.status !== 200) failures.push(`status ${response.status}`);
        },
        (error: Error) => void failures.push(error.message),
      )
      .finally(() => answers.delete(answer));
    answers.add(answer);
  }
  await Promise.all(answers);
  return failures;
}

describe('an outage under 60 new connections a second', () => {
  it.each(['refuses', 'accepts and never answers'] as const)(
    'one of two servers %s for 8 s',
    async (how) => {
      await using alive = await startEchoServer('alive');
      let failing: Misbehaving | Awaited<ReturnType<typeof startEchoServer>> = await startEchoServer('failing', {
        port: await freePort(),
      });
      const { port, url } = failing;
      await using proxy = await startProxy({
        workers: 2,
        dynamic: services(
          // The time to answer is that of the one that is alive, too: shorter only where the other is found out by it.
          balanced([alive.url, url], {
            healthCheck: { path: '/', interval: '1s', timeout: how === 'refuses' ? '10s' : '1s' },
          }),
        ),
      });
      await waitFor('both to answer', async () => {
        const seen = [await ask(proxy.port()), await ask(proxy.port()), await ask(proxy.port())];
        return new Set(seen.map((one) => one.header('x-server'))).size === 2;
      });
      let broken: Promise<void> | null = null;
      const failures = await load(proxy.port(), 60, 8, (sent) => {
        if (sent !== 30) return;
        broken = (async () => {
          await failing.close();
          if (how !== 'refuses') failing = await startMisbehaving(hang, port);
        })();
      });
      await broken;
      await failing.close();
      console.log(`${how}: ${failures.length} of 480 failed ${JSON.stringify([...new Set(failures)])}`);
      expect(failures.length).toBeLessThanOrEqual(how === 'refuses' ? 0 : 20);
    },
    60_000,
  );

  it('one of three dies under 500 GETs a second: nobody sees it', async () => {
    await using a = await startEchoServer('a');
    await using b = await startEchoServer('b');
    const dying = await startEchoServer('dying');
    await using proxy = await startProxy({
      workers: 2,
      dynamic: services(
        balanced([a.url, b.url, dying.url], { passiveHealthCheck: { failureWindow: '10s', maxFailedAttempts: 3 } }),
      ),
    });
    const failures = await load(proxy.port(), 500, 4, (sent) => {
      if (sent === 600) void dying.close();
    });
    console.log(`one of three dies: ${failures.length} of 2000 failed ${JSON.stringify([...new Set(failures)])}`);
    expect(failures).toEqual([]);
    expect(dying.requests).toBeGreaterThan(50);
  }, 60_000);
});
