import { X509Certificate } from 'node:crypto';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { servedCertificate } from '../support/acme-proxy.ts';
import { makeCa } from '../support/certs.ts';
import { startProxy } from '../support/proxy.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';
import { waitFor } from '../support/wait-for.ts';

describe('proxy certs', () => {
  it('lists and exports certificates from files, and says that none can be renewed without a resolver', async () => {
    await using temp = await tempDir();
    const pair = makeCa('Test CA').issue({ sans: ['a.test', '*.w.test'] });
    await writeFile(join(temp.path, 'a.crt'), pair.cert);
    await writeFile(join(temp.path, 'a.key'), pair.key);
    await using proxy = await startProxy({
      dynamic: `tls: {certificates: [{certFile: ${temp.path}/a.crt, keyFile: ${temp.path}/a.key}]}\n`,
    });
    await proxy.waitForOutput(/ready: /);
    const certs = (...args: readonly string[]) =>
      runCommand(['certs', ...args, '--config', proxy.configFile], { env: proxy.env });

    const list = await certs();
    expect(list.stderr).toBe('');
    expect(list.stdout).toMatch(/^a\.test \*\.w\.test +file +in 23h 5\dm +- +\/\S+a\.crt +CN=Test CA$/m);
    expect(JSON.parse((await certs('list', '--json')).stdout)).toMatchObject({
      certificates: [{ names: ['a.test', '*.w.test'], state: 'file', issuer: 'CN=Test CA' }, { from: 'generated' }],
      resolvers: [],
    });

    const out = join(temp.path, 'out');
    const exported = await certs('export', 'one.w.test', '--out', out);
    expect(exported.stdout).toBe(`${out}/a.test.crt\n${out}/a.test.key\n`);
    expect(await readFile(join(out, 'a.test.crt'), 'utf8')).toBe(pair.cert);
    expect(await readFile(join(out, 'a.test.key'), 'utf8')).toBe(pair.key);
    expect((await stat(join(out, 'a.test.key'))).mode & 0o777).toBe(0o600);

    const unknown = await certs('export', 'nobody.test', '--out', out);
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      'proxy: there is no certificate for nobody.test: `proxy certs` lists them\n',
    ]);
    const renew = await certs('renew', 'a.test');
    expect([renew.code, renew.stderr]).toEqual([1, 'proxy: no certResolver is configured\n']);
    expect((await certs('export', 'a.test')).code).toBe(2);
    // A command is a process: on a busy machine seven of them take their time.
  }, 120_000);
});

describe('a PKCS#12 file', () => {
  it('is served, and served anew when it is replaced; a wrong password is said with its place', async () => {
    await using temp = await tempDir();
    const ca = makeCa('Test CA');
    const path = (name: string): string => join(temp.path, name);
    const replace = async (): Promise<string> => {
      const pair = ca.issue({ sans: ['p12.test'] });
      await writeFile(path('c.pem'), pair.cert + pair.key);
      const args = ['pkcs12', '-export', '-in', path('c.pem'), '-out', path('next.p12'), '-passout', 'pass:secret'];
      expect(await runCommand(args, { program: 'openssl' })).toMatchObject({ code: 0 });
      await rename(path('next.p12'), path('site.p12'));
      return new X509Certificate(pair.cert).serialNumber;
    };
    await writeFile(path('password'), 'secret\n');
    const first = await replace();
    const dynamic = (password: string): string =>
      `tls:\n  certificates:\n    - certFile: ${path('site.p12')}\n      ${password}\n`;
    await using proxy = await startProxy({
      static: { entryPoints: { websecure: {} } },
      dynamic: dynamic(`passwordFile: ${path('password')}`),
    });
    expect((await servedCertificate(proxy, 'p12.test')).serialNumber).toBe(first);
    const second = await replace();
    await waitFor(
      'the new certificate',
      async () => (await servedCertificate(proxy, 'p12.test')).serialNumber === second,
    );
    await proxy.writeDynamic(dynamic('password: wrong'));
    await proxy.waitForOutput(/dynamic\.yml:3:7: error: .*site\.p12 cannot be opened with this password/);
    // What was read before goes on being served.
    expect((await servedCertificate(proxy, 'p12.test')).serialNumber).toBe(second);
  });
});
