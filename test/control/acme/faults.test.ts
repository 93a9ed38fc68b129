import { X509Certificate } from 'node:crypto';
import acme from 'acme-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CaFront, startCaFront } from '../../support/ca-front.ts';
import { makeCa } from '../../support/certs.ts';
import { startResponder } from '../../support/challenge-responder.ts';
import { PEBBLE_TOOLS, type Pebble, startPebble } from '../../support/pebble.ts';
import { toolsMissing } from '../../support/tools.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type Managed, manage } from './support.ts';

describe.skipIf(toolsMissing('faults of a CA', ...PEBBLE_TOOLS))('a CA that', () => {
  let pebble: Pebble;
  beforeAll(async () => {
    pebble = await startPebble();
  });
  afterAll(() => pebble.stop());

  /** A manager behind a front of its own. Each test has its own responder ports by its own names. */
  function managed(front: CaFront, acme: Record<string, unknown> = {}): Promise<Managed> {
    const mesh = { caServer: front.directory, caCertificates: [front.root], httpChallenge: {}, ...acme };
    return manage({
      resolvers: { mesh },
      responder: pebble,
      probePorts: { http: pebble.httpPort, tls: pebble.tlsPort },
    });
  }

  it('is not there at boot is asked again within 4 s each time, and gives all nine certificates on its return', async () => {
    await using front = await startCaFront(pebble.directory, { down: true });
    await using it = await managed(front);
    const names = Array.from({ length: 9 }, (_, i) => `boot${i}.test`);
    it.want(...names);
    await waitFor('an outage', () => it.manager.resolvers()[0]?.outage);
    expect(it.manager.resolvers()[0]?.outage?.error).toMatch(/the CA localhost:\d+ refuses the connection/);
    expect(it.manager.status()[0]?.lastError).toMatch(/refuses the connection/);
    // Long enough for the wait between two questions to be at its longest.
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    const { nextAttempt = Number.POSITIVE_INFINITY } = it.manager.resolvers()[0]?.outage ?? {};
    expect(nextAttempt - Date.now()).toBeLessThanOrEqual(4_000);
    await front.up();
    for (const name of names) await it.certificate(name);
    expect(it.manager.resolvers()[0]?.outage).toBeUndefined();
    expect(it.lines.filter((line) => /tried again until it answers/.test(line))).toHaveLength(1);
  });

  it('hangs is given up, while another resolver goes on', async () => {
    await using hung = await startCaFront(pebble.directory);
    hung.fault = () => 'hang';
    await using it = await manage({
      resolvers: {
        hung: {
          caServer: hung.directory,
          caCertificates: [hung.root],
          httpChallenge: {},
          clientResponseHeaderTimeout: '1s',
        },
        well: { caServer: pebble.directory, caCertificates: [pebble.root], httpChallenge: {} },
      },
      responder: pebble,
    });
    it.manager.want([
      { resolver: 'hung', main: 'hung.test', sans: [], for: [] },
      { resolver: 'well', main: 'well.test', sans: [], for: [] },
    ]);
    await it.certificate('well.test');
    await waitFor('the time-out', () => it.manager.resolvers()[0]?.outage);
    expect(it.manager.resolvers()[0]?.outage?.error).toMatch(/took too long to answer GET \/dir/);
    hung.fault = () => undefined;
    await it.certificate('hung.test');
  });

  it('answers 500 is tried again soon, with what it said in the status', async () => {
    await using front = await startCaFront(pebble.directory);
    front.fault = ({ path }) => (path.includes('order-plz') ? { status: 500, body: 'oops' } : undefined);
    await using it = await managed(front);
    it.want('five.test');
    const status = await waitFor('a failure', () =>
      it.manager.status().find(({ failures, state }) => failures > 1 && state === 'failed'),
    );
    expect(status).toMatchObject({
      state: 'failed',
      lastError: expect.stringMatching(/the CA answered 500 to \/order-plz/),
    });
    expect((status.nextAttempt ?? 0) - Date.now()).toBeLessThan(10_000);
    front.fault = () => undefined;
    await it.certificate('five.test');
    const after = await waitFor('the end of the order', () =>
      it.manager.status().find(({ state }) => state === 'valid'),
    );
    expect(after.failures).toBe(0);
    expect(after.lastError).toBeUndefined();
  });

  it('asks to wait for a day (429) is asked again much sooner, and both are said', async () => {
    await using front = await startCaFront(pebble.directory);
    const body = JSON.stringify({ type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many certificates' });
    front.fault = ({ path }) =>
      path.includes('order-plz') ? { status: 429, headers: { 'retry-after': '86400' }, body } : undefined;
    await using it = await managed(front);
    it.want('limit.test');
    const line = await waitFor('it to be said', () => it.lines.find((text) => /rateLimited/.test(text)));
    expect(line).toMatch(/too many certificates; it asks to wait 24 h; tried again in (8|9|10) s/);
    front.fault = () => undefined;
    await it.certificate('limit.test');
  });

  it('refuses every second nonce gives a certificate all the same', async () => {
    await using picky = await startPebble({ rejectNonces: 50 });
    await using it = await manage({
      resolvers: { mesh: { caServer: picky.directory, caCertificates: [picky.root], httpChallenge: {} } },
      responder: picky,
    });
    it.want('nonce1.test', 'nonce2.test', 'nonce3.test');
    for (const n of [1, 2, 3]) await it.certificate(`nonce${n}.test`);
    expect(it.lines.filter((line) => line.startsWith('error'))).toEqual([]);
  });

  it('cuts connections is an outage of seconds', async () => {
    await using front = await startCaFront(pebble.directory);
    front.fault = ({ count }) => (count % 4 === 3 ? 'cut' : undefined);
    await using it = await managed(front);
    it.want('cut.test');
    await waitFor('some cuts', () => front.seen.length > 6);
    front.fault = () => undefined;
    await it.certificate('cut.test');
  });

  it('cannot verify one name holds up no other, and it is said what it saw and what answers there', async () => {
    await using it = await manage({
      resolvers: { mesh: { caServer: pebble.directory, caCertificates: [pebble.root], httpChallenge: {} } },
      maxOrders: 2,
      probePorts: { http: pebble.httpPort, tls: pebble.tlsPort },
    });
    // Nobody answers yet: the first two fail.
    it.want('bad1.test', 'bad2.test');
    const bad = await waitFor('a failure', () => it.manager.status().find(({ failures }) => failures > 0));
    expect(bad.lastError).toMatch(
      /^the CA could not verify bad\d\.test by http-01 \(connection\): .*; seen from here, http:\/\/bad\d\.test:\d+\/\.well-known\/acme-challenge\/ \(127\.0\.0\.1\) does not answer: .*ECONNREFUSED/,
    );
    it.want('bad1.test', 'bad2.test', 'good.test');
    await using _ = await startResponder(pebble, () => [{ ...it.manager.challenges, ...onlyFor(it, 'good.test') }]);
    await it.certificate('good.test');
    const wrong = await waitFor('the other answer', () =>
      it.manager.status().find(({ lastError }) => /is answered with 404/.test(lastError ?? '')),
    );
    expect(wrong.lastError).toMatch(/is answered with 404: "no such challenge": that is not this proxy's answer/);
  });

  it('has another root is not trusted, and what answers there is said', async () => {
    await using front = await startCaFront(pebble.directory);
    await using it = await managed(front, { caCertificates: [makeCa('Some Other Root').cert] });
    it.want('root.test');
    const outage = await waitFor('it to be refused', () => it.manager.resolvers()[0]?.outage);
    expect(outage.error).toMatch(
      /the resolver's roots do not vouch for .*"CN=localhost", issued by "CN=Front Root": check caCertificates/,
    );
  });

  it('is reached by an address has the name of caServerName', async () => {
    await using front = await startCaFront(pebble.directory, { sans: ['ca.mesh.test'] });
    const caServer = front.directory.replace('localhost', '127.0.0.1');
    await using it = await manage({
      resolvers: {
        without: { caServer, caCertificates: [front.root], httpChallenge: {} },
        named: { caServer, caCertificates: [front.root], caServerName: 'ca.mesh.test', httpChallenge: {} },
      },
      responder: pebble,
    });
    it.manager.want([
      { resolver: 'without', main: 'without.test', sans: [], for: [] },
      { resolver: 'named', main: 'named.test', sans: [], for: [] },
    ]);
    await it.certificate('named.test');
    const outage = await waitFor('it to be refused', () => it.manager.resolvers()[0]?.outage);
    expect(outage.error).toMatch(/has a certificate for another name .*set caServerName/);
  });

  it('is pinned by caAddress is reached there, whatever its name resolves to', async () => {
    await using front = await startCaFront(pebble.directory, { sans: ['ca.mesh.test'] });
    const caServer = `https://ca.mesh.test:${front.port}/dir`;
    await using it = await manage({
      resolvers: {
        mesh: { caServer, caAddress: `127.0.0.1:${front.port}`, caCertificates: [front.root], httpChallenge: {} },
      },
      responder: pebble,
      lookup: async (host) => {
        throw new Error(`nobody should ask for ${host}`);
      },
    });
    it.want('pinned.test');
    await it.certificate('pinned.test');
  });

  it('has a name that leads back to the proxy is a circle, and is said to be one', async () => {
    const caServer = 'https://ca.mesh.test:9000/acme/acme/directory';
    await using it = await manage({
      resolvers: { mesh: { caServer, httpChallenge: {} } },
      lookup: async () => [{ address: '10.0.0.12', family: 4 }],
      isSelf: (address, port) => address === '10.0.0.12' && port === 9000,
    });
    it.want('circle.test');
    const outage = await waitFor('it to be noticed', () => it.manager.resolvers()[0]?.outage);
    expect(outage.error).toBe(
      'the CA ca.mesh.test:9000 leads to this proxy itself (10.0.0.12:9000): set caAddress to where the CA really is',
    );
  });

  it('answers something that is no ACME server is said to', async () => {
    await using front = await startCaFront(pebble.directory);
    front.fault = () => ({ status: 404, headers: { server: 'nginx' }, body: '404 page not found' });
    await using it = await managed(front);
    it.want('web.test');
    const outage = await waitFor('it to be noticed', () => it.manager.resolvers()[0]?.outage);
    expect(outage.error).toMatch(/answers 404.*404 page not found/);
  });

  it('binds accounts takes the key of eab', async () => {
    const hmac = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
    await using binding = await startPebble({ eab: { 'kid-1': hmac } });
    await using it = await manage({
      resolvers: {
        mesh: {
          ...{ caServer: binding.directory, caCertificates: [binding.root], httpChallenge: {} },
          eab: { kid: 'kid-1', hmacEncoded: hmac },
        },
      },
      responder: binding,
    });
    it.want('eab.test');
    await it.certificate('eab.test');
  });

  it('offers other chains gives the one with preferredChain', async () => {
    await using chains = await startPebble({ alternateRoots: 2 });
    const roots = [...chains.output().matchAll(/issuance chain: (Pebble Root CA \w+)/g)].map(([, name = '']) => name);
    const preferredChain = roots[2];
    expect(roots).toHaveLength(3);
    await using it = await manage({
      resolvers: {
        mesh: { ...{ caServer: chains.directory, caCertificates: [chains.root] }, httpChallenge: {}, preferredChain },
      },
      responder: chains,
    });
    it.want('chain.test');
    const issuers = acme.crypto
      .splitPemChain(await it.certificate('chain.test'))
      .map((pem) => new X509Certificate(pem).issuer);
    expect(issuers.at(-1)).toBe(`CN=${preferredChain}`);
  });
});

/** Challenges of one name only: the others are answered with 404. */
function onlyFor({ manager }: Managed, name: string) {
  return {
    tokens: () => manager.challenges.tokens(),
    alpn: () => [],
    http01: (token: string) => {
      const busy = manager.status().find(({ progress }) => progress?.includes(name) || false);
      return busy === undefined ? undefined : manager.challenges.http01(token);
    },
  };
}
