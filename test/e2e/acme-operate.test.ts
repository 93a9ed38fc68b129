import { readFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import {
  certificateList,
  certs,
  dynamicFor,
  servedCertificate,
  startAcmeProxy,
  storageIn,
  waitForCertificates,
} from '../support/acme-proxy.ts';
import { makeCa } from '../support/certs.ts';
import { nginxIsInstalled, startNginx } from '../support/nginx.ts';
import { PEBBLE_TOOLS, type Pebble, startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import type { ProxyProcess } from '../support/proxy.ts';
import { runCommand } from '../support/run-command.ts';
import { STEP_CA_TOOLS, startStepCa } from '../support/step-ca.ts';
import { tempDir } from '../support/temp.ts';
import { toolsMissing } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

// A proxy with its workers, and a CA: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 120_000 });

/** Resolves when so many orders are over: their certificates are served, and stored. */
async function waitForValid(proxy: ProxyProcess, count: number): Promise<void> {
  await waitFor(`${count} valid certificates`, async () => {
    const { certificates } = await certificateList(proxy);
    return certificates.filter(({ state }) => state === 'valid').length === count;
  });
}

function orders(pebble: Pebble): number {
  return (pebble.output().match(/Added order/g) ?? []).length;
}

describe.skipIf(toolsMissing('ACME operation end to end', ...PEBBLE_TOOLS))('certificates by ACME', () => {
  it.skipIf(!nginxIsInstalled)('come through an nginx gateway that passes the challenge on', async () => {
    await using temp = await tempDir();
    const web = await freePort();
    await using gateway = await startNginx({ port: web });
    await using pebble = await startPebble({ httpPort: gateway.port });
    await using proxy = await startAcmeProxy(pebble, {
      hosts: ['a.test'],
      storage: storageIn(temp.path),
      httpPort: web,
    });
    await waitForCertificates(proxy, ['a.test']);
    // The port is not 80: said once, with when that is fine.
    await proxy.waitForOutput(/http-01: the authority asks port 80.*fine where a gateway passes/);
  });

  it('of 50 routers that appear at once are ordered a few at a time, and go live together', async () => {
    await using temp = await tempDir();
    await using pebble = await startPebble();
    await using proxy = await startAcmeProxy(pebble, { hosts: [], storage: storageIn(temp.path) });
    await proxy.waitForOutput(/ready: /);
    const hosts = Array.from({ length: 50 }, (_, i) => `host-${i}.test`);
    const twice = Object.fromEntries(
      hosts.map((host) => [
        `${host}-again`,
        {
          rule: `Host(\`${host}\`) && PathPrefix(\`/again\`)`,
          service: 'api@internal',
          entryPoints: ['websecure'],
          tls: { certResolver: 'ca' },
        },
      ]),
    );
    await proxy.writeDynamic(dynamicFor(hosts, { http: { routers: twice } }));
    await waitFor('some to be ordered', () => orders(pebble) > 0);
    const status = await runCommand(['status', '--config', proxy.configFile], { env: proxy.env });
    expect(status.stdout).toMatch(/^ACME: .*\d+ (waiting|ordering|valid)/m);
    await waitForCertificates(proxy, hosts, 60_000);
    expect(orders(pebble)).toBe(50);
    await waitForValid(proxy, 50);
    // Each publication serves all that had come meanwhile.
    expect(proxy.output().match(/version \d+ is live/g)!.length).toBeLessThan(50);
  });

  it('are ordered once by two proxies on one storage, and served by both', async () => {
    await using temp = await tempDir();
    // Whichever proxy orders: the authority only knows the address of one.
    await using pebble = await startPebble({ alwaysValid: true });
    const hosts = ['a.test', 'b.test'];
    const start = async () =>
      startAcmeProxy(pebble, { hosts, storage: storageIn(temp.path), httpPort: await freePort(), workers: 1 });
    await using one = await start();
    await using two = await start();
    const [first, second] = [await waitForCertificates(one, hosts), await waitForCertificates(two, hosts)];
    expect(second.map((c) => c.serialNumber)).toEqual(first.map((c) => c.serialNumber));
    expect(orders(pebble)).toBe(2);
  });

  it('are ordered for a name when the file that covered it has expired', async () => {
    await using temp = await tempDir();
    await using pebble = await startPebble();
    await using proxy = await startAcmeProxy(pebble, { hosts: [], storage: storageIn(temp.path) });
    await proxy.waitForOutput(/ready: /);
    const file = makeCa('Files').issue({ sans: ['a.test'], notAfter: new Date(Date.now() + 12_000) });
    const tls = { certificates: [{ certFile: file.cert, keyFile: file.key }] };
    await proxy.writeDynamic(dynamicFor(['a.test'], { dynamic: { tls } }));
    await proxy.waitForOutput(/version 2 is live/);
    await proxy.waitForOutput(/no certificate is ordered for a\.test: the certificate inline covers it/);
    expect((await servedCertificate(proxy, 'a.test')).issuer).toBe('CN=Files');
    await waitFor(
      'the certificate of the authority',
      async () => /Pebble/.test((await servedCertificate(proxy, 'a.test')).issuer),
      { timeoutMs: 60_000 },
    );
    expect(orders(pebble)).toBe(1);
  });

  it('are renewed and revoked by name', async () => {
    await using temp = await tempDir();
    await using pebble = await startPebble();
    await using proxy = await startAcmeProxy(pebble, { hosts: ['a.test', 'b.test'], storage: storageIn(temp.path) });
    const [a, b] = await waitForCertificates(proxy, ['a.test', 'b.test']);
    // Whoever asks during an order is told of that one.
    await waitForValid(proxy, 2);
    const renewed = await certs(proxy, 'renew', 'a.test');
    expect(renewed.output).toMatch(/^renewed a\.test: from .*Pebble.*, valid for (89|90)d/);
    const after = await servedCertificate(proxy, 'a.test');
    expect(after.serialNumber).not.toBe(a!.serialNumber);
    expect((await servedCertificate(proxy, 'b.test')).serialNumber).toBe(b!.serialNumber);

    const revoked = await certs(proxy, 'revoke', 'a.test');
    expect(revoked.output).toBe('revoked a.test\n');
    await waitFor(
      'another certificate',
      async () => {
        const now = await servedCertificate(proxy, 'a.test');
        return now.checkHost('a.test') !== undefined && now.serialNumber !== after.serialNumber;
      },
      { timeoutMs: 60_000 },
    );
    const unknown = await certs(proxy, 'renew', 'nobody.test');
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/nobody\.test/);
  });
});

describe.skipIf(toolsMissing('the default certificate by ACME end to end', ...STEP_CA_TOOLS))('with step-ca', () => {
  it('defaultGeneratedCert is served for names that nothing covers, IP addresses are named, the root comes by its fingerprint', async () => {
    await using temp = await tempDir();
    await using ca = await startStepCa();
    await using proxy = await startAcmeProxy(ca, {
      hosts: ['127.0.0.1'],
      storage: storageIn(temp.path),
      acme: { caCertificates: [], caFingerprint: ca.fingerprint },
      dynamic: {
        tls: { stores: { default: { defaultGeneratedCert: { resolver: 'ca', domain: { main: 'default.test' } } } } },
      },
    });
    await waitFor(
      'the default certificate',
      async () => (await servedCertificate(proxy, 'whoever.test')).subjectAltName === 'DNS:default.test',
      { describe: () => proxy.output().slice(-3000) },
    );
    await waitFor('the certificate of the address', async () => {
      // A client that dials an address sends no server name.
      const one = await servedCertificate(proxy, '');
      return one.checkIP('127.0.0.1') !== undefined;
    });
    // It is served before it is stored.
    await waitFor(
      'both to be in the file',
      async () => JSON.parse(await readFile(storageIn(temp.path), 'utf8')).ca.Certificates.length === 2,
    );
  });

  it('IP addresses come by tls-alpn-01, too', async () => {
    await using temp = await tempDir();
    await using ca = await startStepCa();
    await using proxy = await startAcmeProxy(ca, {
      hosts: ['127.0.0.1', 'a.test'],
      challenge: 'tls',
      storage: storageIn(temp.path),
    });
    await waitForCertificates(proxy, ['a.test']);
    await waitFor(
      'the certificate of the address',
      async () => (await servedCertificate(proxy, '')).checkIP('127.0.0.1') !== undefined,
      { describe: () => proxy.output().slice(-3000) },
    );
  });
});
