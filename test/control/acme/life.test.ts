import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCaFront } from '../../support/ca-front.ts';
import { JumpClock } from '../../support/jump-clock.ts';
import { PEBBLE_TOOLS, type Pebble, startPebble } from '../../support/pebble.ts';
import { tempDir } from '../../support/temp.ts';
import { toolsMissing } from '../../support/tools.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type Managed, manage } from './support.ts';

const MINUTE = 60_000;

describe.skipIf(toolsMissing('the life of a certificate', ...PEBBLE_TOOLS))('a certificate', () => {
  let pebble: Pebble;
  beforeAll(async () => {
    pebble = await startPebble({ alwaysValid: true, validitySeconds: 300 });
  });
  afterAll(() => pebble.stop());

  const resolver = () => ({ caServer: pebble.directory, caCertificates: [pebble.rootFile], httpChallenge: {} });

  async function settled(it: Managed): Promise<number> {
    const status = await waitFor('the schedule', () => it.manager.status().find(({ state }) => state === 'valid'), {
      timeoutMs: 60_000,
    });
    return status.nextRenewal ?? 0;
  }

  it('is not ordered again before its time, nor after a restart', async () => {
    await using dir = await tempDir();
    await using front = await startCaFront(pebble.directory);
    // The time is to be our own: what the CA would have instead comes at any moment, and moves it.
    front.fault = ({ path }) => (path.includes('/renewalInfo/') ? { status: 404 } : undefined);
    const mesh = { ...resolver(), caServer: front.directory, caCertificates: [front.root] };
    const first = await manage({ resolvers: { mesh }, dir });
    first.want('a.test');
    const cert = await first.certificate('a.test');
    const renewal = await settled(first);
    await first[Symbol.asyncDispose]();
    const clock = new JumpClock();
    await using second = await manage({ resolvers: { mesh }, dir, clock });
    expect(second.manager.certificates()).toMatchObject([{ main: 'a.test', cert }]);
    second.want('a.test');
    expect(second.manager.status()).toMatchObject([{ state: 'valid', nextRenewal: renewal }]);
    clock.to(renewal - 10_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(second.manager.status()[0]?.state).toBe('valid');
    clock.to(renewal + 1);
    await second.certificate('a.test', { not: cert });
    expect(front.seen.some((line) => line.includes('/renewalInfo/'))).toBe(true);
    expect(front.seen.filter((line) => line === 'POST /order-plz')).toHaveLength(2);
    expect(front.seen.filter((line) => line === 'POST /sign-me-up')).toHaveLength(1);
  });

  it('that runs is not ordered twice, whoever asks', async () => {
    await using front = await startCaFront(pebble.directory);
    let held = true;
    front.fault = ({ path }) => (held && path.startsWith('/finalize-order/') ? 'hang' : undefined);
    await using it = await manage({
      resolvers: { mesh: { ...resolver(), caServer: front.directory, caCertificates: [front.root] } },
    });
    it.want('one.test');
    await waitFor('the order', () => front.seen.some((line) => line.startsWith('POST /finalize-order/')));
    it.want('one.test', 'two.test');
    it.want('one.test');
    const renewed = it.manager.renew('one.test');
    held = false;
    // The request that hangs is cut, and the same order goes on.
    await front.down();
    await front.up();
    await renewed.catch(() => undefined);
    await it.certificate('one.test');
    expect(front.seen.filter((line) => line === 'POST /order-plz').length).toBeLessThanOrEqual(2); // one.test, two.test
  });

  it('is renewed by hand at any age, by its main or another name', async () => {
    await using it = await manage({ resolvers: { mesh: resolver() } });
    it.want(['main.test', 'other.test']);
    const cert = await it.certificate('main.test');
    await settled(it);
    const [renewed] = await it.manager.renew('OTHER.test.');
    expect(renewed?.cert).not.toBe(cert);
    expect(it.manager.certificates()).toEqual([renewed]);
    await expect(it.manager.renew('unknown.test')).rejects.toThrow(/no certificate for "unknown\.test" is wanted/);
  });

  it('is one for each distinct set, whatever the order of its names, for all that want it', async () => {
    await using it = await manage({ resolvers: { mesh: resolver() } });
    it.manager.want([
      { resolver: 'mesh', main: 'a.test', sans: ['b.test'], for: ['r1'] },
      { resolver: 'mesh', main: 'B.test', sans: ['a.test', 'b.test'], for: ['r2'] },
      { resolver: 'nobody', main: 'c.test', sans: [], for: ['r3'] },
    ]);
    await it.certificate('a.test');
    expect(it.manager.status()).toMatchObject([{ main: 'a.test', sans: ['b.test'], for: ['r1', 'r2'] }]);
  });

  it('that is not used any more is served until it expires, not renewed, and then dropped', async () => {
    const clock = new JumpClock();
    await using it = await manage({ resolvers: { mesh: resolver() }, clock });
    it.want('kept.test', 'gone.test');
    await it.certificate('kept.test');
    await it.certificate('gone.test');
    await waitFor('both', () => it.manager.status().every(({ state }) => state === 'valid'));
    it.want('kept.test');
    expect(it.manager.status().map(({ main, state }) => `${main} ${state}`)).toEqual([
      'kept.test valid',
      'gone.test unused',
    ]);
    expect(it.manager.certificates()).toHaveLength(2);
    const { notAfter = 0 } = it.manager.status()[1] ?? {};
    clock.to(notAfter - 1000);
    expect(it.manager.certificates()).toHaveLength(2);
    clock.to(notAfter + 1);
    await waitFor('it to be dropped', () => it.manager.certificates().length === 1);
    expect(it.manager.certificates().map(({ main }) => main)).toEqual(['kept.test']);
    await waitFor('the file', async () => {
      const file = JSON.parse(await readFile(it.storage, 'utf8'));
      return file.mesh.Certificates.length === 1;
    });
  });

  it('that expires because the CA is away goes on being served, and loudly so', async () => {
    await using front = await startCaFront(pebble.directory);
    const clock = new JumpClock();
    await using it = await manage({
      resolvers: { mesh: { ...resolver(), caServer: front.directory, caCertificates: [front.root] } },
      clock,
    });
    it.want('away.test', 'beside.test');
    await it.certificate('away.test');
    await it.certificate('beside.test');
    await waitFor('both', () => it.manager.status().every(({ state }) => state === 'valid'));
    await front.down();
    clock.to(Math.max(...it.manager.status().map(({ nextRenewal = 0 }) => nextRenewal)));
    // One of them finds out, the other one waits with it: both say so.
    await waitFor('both to fail', () => it.manager.status().every(({ state }) => state === 'failed'));
    const failed = await waitFor('the outage', () => it.manager.status().find(({ state }) => state === 'failed'));
    expect(failed.lastError).toMatch(/refuses the connection/);
    expect(it.manager.certificates()).toHaveLength(2);
    clock.to((failed.notAfter ?? 0) + 1);
    await waitFor('the word of it', () =>
      it.lines.find((line) =>
        /^warn there is no newer certificate for away\.test than one that has expired: the CA .* refuses/.test(line),
      ),
    );
    expect(it.manager.certificates()).toHaveLength(2);
    expect((it.manager.status()[0]?.nextAttempt ?? 0) - clock.now()).toBeLessThan(10_000);
  });

  it('costs no time of the processor while its CA is away', async () => {
    await using dir = await tempDir();
    await using front = await startCaFront(pebble.directory);
    const mesh = { ...resolver(), caServer: front.directory, caCertificates: [front.root] };
    const first = await manage({ resolvers: { mesh }, dir });
    first.want('a.test', 'b.test');
    await first.certificate('a.test');
    await first.certificate('b.test');
    await settled(first);
    await first[Symbol.asyncDispose]();
    await front.down();
    const clock = new JumpClock();
    await using it = await manage({ resolvers: { mesh }, dir, clock });
    // One is new, two are stored: those are to be asked about within a minute, and nobody is there to ask.
    it.want('a.test', 'b.test', 'c.test');
    await waitFor('the outage', () => it.manager.resolvers()[0]?.outage);
    clock.to(clock.now() + MINUTE);
    const before = clock.waits;
    const since = performance.now();
    await waitFor('two seconds', () => performance.now() - since > 2_000, { intervalMs: 200 });
    expect(clock.waits - before).toBeLessThan(20);
    // What is wanted no more needs no CA.
    it.want('a.test', 'b.test');
    clock.to(clock.now() + MINUTE);
    await waitFor('its end', () => it.manager.resolvers()[0]?.outage === undefined, {
      describe: () => JSON.stringify([clock.now(), it.manager.resolvers(), it.manager.status(), it.lines], null, 1),
    });
  });

  it('comes also when the clock of this machine is two minutes wrong', async () => {
    for (const skew of [-2 * MINUTE, 2 * MINUTE]) {
      const clock = new JumpClock(skew);
      await using it = await manage({ resolvers: { mesh: resolver() }, clock });
      it.want('skew.test');
      const cert = await it.certificate('skew.test');
      const renewal = await settled(it);
      expect(renewal).toBeGreaterThan(clock.now() + 20_000);
      expect(it.manager.certificates()).toMatchObject([{ cert }]);
    }
  });

  it('that begins in the future, while the old one is good, waits until then', async () => {
    const clock = new JumpClock(-2 * MINUTE);
    await using it = await manage({ resolvers: { mesh: resolver() }, clock });
    it.want('early.test');
    const first = await it.certificate('early.test');
    await settled(it);
    const begins = it.manager.status()[0]?.notBefore ?? 0;
    expect(begins).toBeGreaterThan(clock.now());
    const [renewed] = await it.manager.renew('early.test');
    expect(it.manager.certificates()).toMatchObject([{ cert: first }]);
    clock.to(begins + MINUTE);
    expect(it.manager.certificates()).toMatchObject([{ cert: renewed?.cert }]);
  });

  it('is one of a hundred that are wanted at once: all come, eight orders at a time', async () => {
    await using it = await manage({ resolvers: { mesh: resolver() } });
    const names = Array.from({ length: 100 }, (_, i) => `n${i}.test`);
    let most = 0;
    it.want(...names);
    await waitFor(
      'all of them',
      () => {
        const status = it.manager.status();
        most = Math.max(most, status.filter(({ state }) => state === 'ordering').length);
        return status.every(({ state }) => state === 'valid');
      },
      { timeoutMs: 100_000, describe: () => it.lines.join('\n') },
    );
    expect(most).toBeLessThanOrEqual(8);
    expect(it.manager.certificates()).toHaveLength(100);
    expect(it.told()).toBeLessThanOrEqual(100);
  }, 120_000);
});
