import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, readFile } from 'node:fs/promises';
import { get, globalAgent } from 'node:https';
import { createServer } from 'node:net';
import acme from 'acme-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCaFront } from '../../support/ca-front.ts';
import { makeCa } from '../../support/certs.ts';
import { PEBBLE_TOOLS, startPebble } from '../../support/pebble.ts';
import { STEP_CA_TOOLS, type StepCa, startStepCa } from '../../support/step-ca.ts';
import { tempDir } from '../../support/temp.ts';
import { toolsMissing } from '../../support/tools.ts';
import { waitFor } from '../../support/wait-for.ts';
import { manage } from './support.ts';

const missing = toolsMissing('certificates from step-ca', ...STEP_CA_TOOLS);

describe.skipIf(missing)('a step-ca', () => {
  let ca: StepCa;
  beforeAll(async () => {
    ca = await startStepCa({ duration: '24h' });
  });
  afterAll(() => ca[Symbol.asyncDispose]());

  it('known by the fingerprint of its root gives certificates for names and addresses, by both challenges', async () => {
    const common = { caServer: ca.directory, caFingerprint: ca.fingerprint.toUpperCase() };
    await using it = await manage({
      resolvers: { http: { ...common, httpChallenge: {} }, tls: { ...common, tlsChallenge: {} } },
      responder: ca,
    });
    it.manager.want([
      { resolver: 'http', main: 'a.internal.test', sans: ['127.0.0.1'], for: [] },
      { resolver: 'tls', main: 'b.internal.test', sans: ['127.0.0.1'], for: [] },
    ]);
    const root = new X509Certificate(await readFile(ca.rootFile));
    for (const name of ['a', 'b']) {
      const [leaf, intermediate] = acme.crypto
        .splitPemChain(await it.certificate(`${name}.internal.test`))
        .map((pem) => new X509Certificate(pem));
      expect(leaf?.subjectAltName).toBe(`DNS:${name}.internal.test, IP Address:127.0.0.1`);
      expect(intermediate?.verify(root.publicKey)).toBe(true);
    }
    expect(it.lines.filter((line) => !line.startsWith('info'))).toEqual([]);
  });

  it('is not touched by, and does not touch, what else the process trusts', async () => {
    await using it = await manage({
      resolvers: { mesh: { caServer: ca.directory, caCertificates: [ca.rootFile], httpChallenge: {} } },
      responder: ca,
    });
    it.want('trust.internal.test');
    await it.certificate('trust.internal.test');
    expect(acme.axios.defaults.httpsAgent).toBeUndefined();
    expect(globalAgent.options.ca).toBeUndefined();
    const other = new Promise((_, reject) => void get(ca.directory, () => undefined).on('error', reject));
    await expect(other).rejects.toThrow(/certificate/);
  });

  it.skipIf(toolsMissing('two CAs with two roots', ...PEBBLE_TOOLS))(
    'works beside another CA with another root, at the same time',
    async () => {
      await using pebble = await startPebble({ alwaysValid: true });
      await using it = await manage({
        resolvers: {
          inside: { caServer: ca.directory, caCertificates: [ca.rootFile], httpChallenge: {} },
          outside: { caServer: pebble.directory, caCertificates: [pebble.rootFile], httpChallenge: {} },
        },
        responder: ca,
      });
      it.manager.want(
        Array.from({ length: 6 }, (_, i) => [
          { resolver: 'inside', main: `in${i}.test`, sans: [], for: [] },
          { resolver: 'outside', main: `out${i}.test`, sans: [], for: [] },
        ]).flat(),
      );
      for (let i = 0; i < 6; i++) {
        expect(new X509Certificate(await it.certificate(`in${i}.test`)).issuer).toMatch(/Test CA/);
        expect(new X509Certificate(await it.certificate(`out${i}.test`)).issuer).toMatch(/Pebble/);
      }
    },
  );

  it('with another root than the fingerprint says is not believed', async () => {
    await using it = await manage({
      resolvers: { mesh: { caServer: ca.directory, caFingerprint: 'ab'.repeat(32), httpChallenge: {} } },
    });
    it.want('x.test');
    const outage = await waitFor('it to be noticed', () => it.manager.resolvers()[0]?.outage);
    expect(outage.error).toMatch(/has no root certificate with the caFingerprint abababababababab…/);

    await using front = await startCaFront(ca.directory);
    front.fault = ({ path }) =>
      path.startsWith('/root/') ? { status: 200, body: JSON.stringify({ ca: makeCa('Impostor').cert }) } : undefined;
    await using cheated = await manage({
      resolvers: { mesh: { caServer: front.directory, caFingerprint: ca.fingerprint, httpChallenge: {} } },
    });
    cheated.want('x.test');
    const cheat = await waitFor('it to be noticed', () => cheated.manager.resolvers()[0]?.outage);
    expect(cheat.error).toMatch(
      /has the fingerprint [0-9a-f]{64}, not the caFingerprint: something else answers there/,
    );
  });

  it("is trusted by lego's variables where the resolver says nothing, as Traefik does", async () => {
    await using it = await manage({
      resolvers: { mesh: { caServer: ca.directory, httpChallenge: {} } },
      responder: ca,
      env: { LEGO_CA_CERTIFICATES: ca.rootFile, LEGO_CA_SERVER_NAME: 'ca.internal.test' },
    });
    it.want('lego.test');
    await it.certificate('lego.test');
  });

  it('that cannot connect says so, and so does the look from here', async () => {
    await using it = await manage({
      resolvers: {
        http: { caServer: ca.directory, caCertificates: [ca.rootFile], httpChallenge: {} },
        tls: { caServer: ca.directory, caCertificates: [ca.rootFile], tlsChallenge: {} },
      },
      probePorts: { http: ca.httpPort, tls: ca.tlsPort },
    });
    it.manager.want([
      { resolver: 'http', main: 'dead.test', sans: [], for: [] },
      { resolver: 'tls', main: 'deaf.test', sans: [], for: [] },
    ]);
    await waitFor('both failures', () => it.manager.status().every(({ lastError }) => lastError !== undefined));
    const [http, tls] = it.manager.status().map(({ lastError }) => lastError);
    expect(http).toMatch(
      /could not verify dead\.test by http-01 \(connection\): .*; seen from here, http:.* does not answer: .*ECONNREFUSED/,
    );
    expect(tls).toMatch(
      /could not verify deaf\.test by tls-alpn-01 \(connection\): .*; seen from here, deaf\.test:\d+ .*ECONNREFUSED/,
    );
  });

  // step-ca waits 30 s for such a name, and cuts the connection of who asked: that is no outage of the CA.
  it('that looks at names where nothing answers gives others their certificates, and says which were not', async () => {
    const silent = createServer(() => undefined).listen(ca.httpPort, '127.0.0.9');
    await once(silent, 'listening');
    const holes = ['hole1.test', 'hole2.test'];
    for (const name of holes) {
      const body = JSON.stringify({ host: name, addresses: ['127.0.0.9'] });
      await fetch(`http://127.0.0.1:${ca.dnsManagementPort}/add-a`, { method: 'POST', body });
    }
    await using it = await manage({
      resolvers: { mesh: { caServer: ca.directory, caCertificates: [ca.rootFile], httpChallenge: {} } },
      responder: ca,
      maxOrders: 2,
    });
    it.want(...holes);
    await waitFor('both to be looked at', () => it.manager.status().every(({ state }) => state === 'ordering'));
    it.want(...holes, 'sound.test');
    await it.certificate('sound.test', { timeoutMs: 90_000 });
    const failed = it.manager.status().filter(({ main }) => holes.includes(main));
    expect(failed.map(({ lastError }) => lastError?.slice(0, 42))).toEqual(
      holes.map((name) => `the CA could not verify ${name} by http-01`.slice(0, 42)),
    );
    expect(it.manager.resolvers()[0]?.outage).toBeUndefined();
    silent.close();
  }, 120_000);

  it('revokes a certificate, and gives another one with another key', async () => {
    await using it = await manage({
      resolvers: { mesh: { caServer: ca.directory, caCertificates: [ca.rootFile], httpChallenge: {} } },
      responder: ca,
    });
    it.want('revoked.test');
    const before = await it.certificate('revoked.test');
    const key = it.manager.certificates()[0]?.key;
    await it.manager.revoke('revoked.test');
    await it.certificate('revoked.test', { not: before });
    expect(it.manager.certificates()[0]?.key).not.toBe(key);
    await expect(it.manager.revoke('nobody.test')).rejects.toThrow(
      /no certificate for "nobody\.test" is there; there are: revoked\.test/,
    );
  });

  it('whose root file comes later than the proxy is waited for', async () => {
    await using dir = await tempDir();
    const file = `${dir.path}/root_ca.crt`;
    await using it = await manage({
      resolvers: { mesh: { caServer: ca.directory, caCertificates: [file], httpChallenge: {} } },
      responder: ca,
    });
    it.want('late.test');
    const outage = await waitFor('it to be missed', () => it.manager.resolvers()[0]?.outage);
    expect(outage.error).toBe(`the CA's root certificate ${file} does not exist`);
    await copyFile(ca.rootFile, file);
    await it.certificate('late.test');
  });
});

describe.skipIf(missing)('a certificate for seconds from step-ca', () => {
  it('is renewed at two thirds of its own life, again and again, by one order each', async () => {
    await using ca = await startStepCa({ duration: '24s', backdate: '0s' });
    await using it = await manage({
      resolvers: { mesh: { caServer: ca.directory, caCertificates: [ca.rootFile], httpChallenge: {} } },
      responder: ca,
    });
    it.want('short.test');
    // The third of its life that is left is what this machine may stall for.
    let cert = await it.certificate('short.test');
    for (let i = 0; i < 2; i++) {
      const status = await waitFor('the schedule', () => it.manager.status().find(({ state }) => state === 'valid'));
      const { notBefore = 0, notAfter = 0, nextRenewal = 0 } = status;
      const share = (nextRenewal - notBefore) / (notAfter - notBefore);
      expect(share).toBeGreaterThan((2 / 3) * 0.9);
      expect(share).toBeLessThan((2 / 3) * 1.1);
      cert = await it.certificate('short.test', { not: cert });
      const next = new X509Certificate(cert);
      // Certificates count in whole seconds.
      expect(next.validFromDate.getTime()).toBeGreaterThan(nextRenewal - 1000);
      expect(next.validFromDate.getTime()).toBeLessThan(notAfter);
    }
    expect(it.lines.filter((line) => !line.startsWith('info'))).toEqual([]);
  });
});
