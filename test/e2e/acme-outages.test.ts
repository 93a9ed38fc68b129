import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  certificateList,
  certs,
  dynamicFor,
  handshake,
  servedCertificate,
  startAcmeProxy,
  storageIn,
  waitForCertificates,
} from '../support/acme-proxy.ts';
import { runCommand } from '../support/run-command.ts';
import { STEP_CA_TOOLS, startStepCa } from '../support/step-ca.ts';
import { tempDir } from '../support/temp.ts';
import { toolsMissing } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

/** Within 10 s of its return, as long as the machine is not busy with other things, too. */
const SOON_MS = 40_000;

describe.skipIf(toolsMissing('outages of an ACME authority end to end', ...STEP_CA_TOOLS))('an authority', () => {
  it('that is away at boot is waited for, and a host that comes meanwhile, too; a restart orders nothing', async () => {
    await using temp = await tempDir();
    await using ca = await startStepCa({ start: false });
    const storage = storageIn(temp.path);
    const hosts = Array.from({ length: 9 }, (_, i) => `host-${i}.test`);
    await using proxy = await startAcmeProxy(ca, { hosts: hosts.slice(0, 8), storage });
    await proxy.waitForOutput(/ready: /);
    const refused = await waitFor('the outage to be told', async () => {
      const { certificates, resolvers } = await certificateList(proxy);
      const waiting = certificates.filter(({ from }) => from === 'acme ca');
      return resolvers[0]?.outage !== undefined && waiting.length === 8 ? { waiting, resolvers } : undefined;
    });
    expect(refused.resolvers[0]!.outage!.error).toMatch(/refuses the connection/);
    expect(refused.waiting.every(({ notAfter }) => notAfter === undefined)).toBe(true);
    const status = await runCommand(['status', '--config', proxy.configFile], { env: proxy.env });
    expect(status.stdout).toMatch(/^ACME: .*8 /m);
    expect(status.stdout).toMatch(/ca: https:\/\/127\.0\.0\.1:\d+\/acme\/acme\/directory not reached for/);
    const { stdout: metrics } = await runCommand([`http://127.0.0.1:${proxy.port('metrics')}/metrics`, '-s'], {
      program: 'curl',
    });
    expect(metrics).toMatch(/^phoenix_acme_authority_reachable\{resolver="ca"\} 0$/m);
    expect(metrics).toMatch(/^phoenix_acme_failures\{.*reason="the CA .* refuses the connection"\} 0$/m);
    expect(metrics).toMatch(/^phoenix_acme_certificates\{state="valid"\} 0$/m);
    // The default certificate meanwhile.
    expect((await servedCertificate(proxy, hosts[0]!)).subject).toMatch(/DEFAULT CERT/);
    await proxy.writeDynamic(dynamicFor(hosts));
    await waitFor('the ninth to be wanted', async () => (await certificateList(proxy)).certificates.length === 10);

    await ca.start();
    const back = performance.now();
    const first = await waitForCertificates(proxy, hosts, SOON_MS);
    console.log(`9 certificates ${((performance.now() - back) / 1000).toFixed(1)} s after the authority came back`);
    const root = await readFile(ca.rootFile, 'utf8');
    const trusted = await handshake(proxy, hosts[8]!, { ca: root, rejectUnauthorized: true });
    expect(trusted.authorized).toBe(true);
    trusted.destroy();
    await proxy.stop();

    await using again = await startAcmeProxy(ca, { hosts, storage });
    await again.waitForOutput(/ready: /);
    const second = await waitForCertificates(again, hosts);
    expect(second.map((one) => one.serialNumber)).toEqual(first.map((one) => one.serialNumber));
  }, 120_000);

  it('that is away past the expiry: the old certificate is served, loudly, not under sniStrict; the new one follows its return', async () => {
    await using temp = await tempDir();
    await using ca = await startStepCa({ duration: '15s' });
    const strict = { tls: { options: { strict: { sniStrict: true } } } };
    await using proxy = await startAcmeProxy(ca, {
      hosts: ['a.test'],
      storage: storageIn(temp.path),
      dynamic: strict,
      http: {
        routers: {
          strict: {
            rule: 'Host(`strict.test`)',
            service: 'api@internal',
            entryPoints: ['websecure'],
            tls: { certResolver: 'ca', options: 'strict' },
          },
        },
      },
    });
    await waitForCertificates(proxy, ['a.test', 'strict.test']);
    await ca.halt();
    // A renewed one may be on its way to the workers still.
    const last = await waitFor(
      'the expiry',
      async () => {
        const served = await servedCertificate(proxy, 'a.test');
        return Date.now() > served.validToDate.getTime() + 1_000 ? served : undefined;
      },
      { intervalMs: 100 },
    );
    await proxy.waitForOutput(/ERR the certificate for a\.test from "ca" has EXPIRED/);
    await proxy.waitForOutput(/WRN warning: the certificate for a\.test from certResolver "ca" expired at/);
    expect((await servedCertificate(proxy, 'a.test')).serialNumber).toBe(last.serialNumber);
    // It may expire later, and the workers are told after the log.
    await waitFor('strict.test to be refused', () =>
      handshake(proxy, 'strict.test').then(
        (socket) => void socket.destroy(),
        ({ message }) => /unrecognized name|alert/i.test(message),
      ),
    );
    expect((await certs(proxy)).stdout).toMatch(/^a\.test +(failed|ordering|waiting) +EXPIRED/m);

    await ca.start();
    const back = performance.now();
    await waitFor(
      'new certificates',
      async () => {
        const [plain, closed] = [
          await servedCertificate(proxy, 'a.test'),
          await servedCertificate(proxy, 'strict.test'),
        ];
        return plain.validToDate.getTime() > Date.now() && closed.validToDate.getTime() > Date.now();
      },
      { timeoutMs: SOON_MS, describe: () => proxy.output().slice(-3000) },
    );
    console.log(`new certificates ${((performance.now() - back) / 1000).toFixed(1)} s after the authority came back`);
  }, 120_000);
});
