import { once } from 'node:events';
import { connect } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { tlsOptions, tlsSnapshot, Workshop } from './certificates.ts';
import { ask, openssl, serverFixture } from './server.ts';

const shop = new Workshop();
const fallback = shop.make(['default.test']);
const a = shop.make(['a.test']);
const b = shop.make(['b.test', 'also-b.test'], undefined, 'rsa');
const wild = shop.make(['*.wild.test']);
const all = [a, b, wild];

const serve = serverFixture();
afterAll(() => shop.remove());

async function certificateFor(port: number, servername: string | undefined): Promise<string | undefined> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...(servername && { servername }) });
  await once(socket, 'secureConnect');
  const subject = socket.getPeerX509Certificate()?.subject;
  socket.destroy();
  return subject;
}

describe('choosing a certificate', () => {
  it('gives each name its own, wildcards one label, and anything else the default', async () => {
    const { port } = await serve(tlsSnapshot(fallback, all));
    expect(await certificateFor(port, 'a.test')).toBe('CN=a.test');
    expect(await certificateFor(port, 'A.TEST')).toBe('CN=a.test');
    expect(await certificateFor(port, 'also-b.test')).toBe('CN=b.test');
    expect(await certificateFor(port, 'x.wild.test')).toBe('CN=*.wild.test');
    expect(await certificateFor(port, 'x.y.wild.test')).toBe('CN=default.test');
    expect(await certificateFor(port, 'wild.test')).toBe('CN=default.test');
    expect(await certificateFor(port, undefined)).toBe('CN=default.test');
  });

  it('does so for openssl s_client, with TLS 1.2 and 1.3', async () => {
    const { port } = await serve(tlsSnapshot(fallback, all));
    for (const version of ['-tls1_2', '-tls1_3']) {
      for (const [name, subject] of [
        ['a.test', 'a.test'],
        ['b.test', 'b.test'],
        ['q.wild.test', '*.wild.test'],
        ['unknown.test', 'default.test'],
      ] as const) {
        const { output, answer } = await openssl(port, [version, '-servername', name]);
        expect(output).toMatch(`subject=CN = ${subject}`);
        expect(answer).toMatchObject({ sni: name, version: version === '-tls1_2' ? 'TLSv1.2' : 'TLSv1.3' });
      }
    }
    const { output, answer } = await openssl(port, ['-noservername']);
    expect(output).toMatch('subject=CN = default.test');
    expect(answer).toMatchObject({ sni: null, optionsName: 'default' });
  });

  it('uses the local address where the client names no server', async () => {
    const byAddress = shop.make(['127.0.0.1']);
    const { port } = await serve(tlsSnapshot(fallback, [byAddress]));
    expect(await certificateFor(port, undefined)).toBe('CN=127.0.0.1');
  });

  it('refuses unknown names under sniStrict with unrecognized_name', async () => {
    const snapshot = tlsSnapshot(fallback, all, tlsOptions('default', { sniStrict: true }));
    const { server, port } = await serve(snapshot);
    const { output, answer } = await openssl(port, ['-servername', 'unknown.test']);
    expect(answer).toBeNull();
    expect(output).toMatch(/unrecognized name/);
    expect(server.failures).toMatchObject([{ reason: 'no-certificate', sni: 'unknown.test' }]);
    expect((await openssl(port, ['-noservername'])).answer).toBeNull();
    expect((await openssl(port, ['-servername', 'a.test'])).answer).toMatchObject({ sni: 'a.test' });
  });

  it('fails only the handshakes of a certificate that OpenSSL cannot use', async () => {
    const broken = { ...a, key: wild.key };
    const { server, port } = await serve(tlsSnapshot(fallback, [broken, b]));
    expect((await ask(port, { servername: 'a.test' })).answer).toBeNull();
    expect(server.failures).toMatchObject([{ reason: 'certificate-unusable', sni: 'a.test' }]);
    expect((await ask(port, { servername: 'b.test' })).answer).toMatchObject({ sni: 'b.test' });
  });
});

describe('TLS options', () => {
  it('are those of the server name', async () => {
    const snapshot = tlsSnapshot(fallback, all, tlsOptions('modern@file', { minVersion: 'TLSv1.3' }));
    const { server, port } = await serve(snapshot, [{ host: 'a.test', options: 'modern@file' }]);
    expect((await openssl(port, ['-tls1_3', '-servername', 'a.test'])).answer).toMatchObject({
      optionsName: 'modern@file',
    });
    const old = await openssl(port, ['-tls1_2', '-servername', 'a.test']);
    expect(old.answer).toBeNull();
    expect(old.output).toMatch(/alert protocol version/);
    expect(server.failures).toMatchObject([{ reason: 'no-common-version' }]);
    expect((await openssl(port, ['-tls1_2', '-servername', 'b.test'])).answer).toMatchObject({
      optionsName: 'default',
    });
    const entryPoint = server.runtime.entryPoint('websecure');
    expect(entryPoint.isMisdirected('a.test', server.infos[1]!)).toBe(true);
    expect(entryPoint.isMisdirected('b.test', server.infos[1]!)).toBe(false);
    expect(entryPoint.isMisdirected('a.test', server.infos[0]!)).toBe(false);
  });

  it('offer the configured ciphers only', async () => {
    const snapshot = tlsSnapshot(fallback, all, tlsOptions('default', { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }));
    const { server, port } = await serve(snapshot);
    const args = ['-tls1_2', '-servername', 'a.test', '-cipher'];
    expect((await openssl(port, [...args, 'ALL'])).answer).toMatchObject({
      cipher: 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
    });
    expect((await openssl(port, [...args, 'ECDHE-ECDSA-AES128-GCM-SHA256'])).answer).toBeNull();
    expect(server.failures).toMatchObject([{ reason: 'no-common-cipher' }]);
  });

  it('offer the configured curves only', async () => {
    const { port } = await serve(tlsSnapshot(fallback, all, tlsOptions('default', { curves: 'P-384' })));
    expect((await openssl(port, ['-curves', 'P-384:X25519'])).output).toMatch(/Server Temp Key: ECDH.*384/);
    expect((await openssl(port, ['-curves', 'X25519'])).answer).toBeNull();
  });

  it('reach down to TLS 1.0 where configured', async () => {
    const { port } = await serve(tlsSnapshot(fallback, all, tlsOptions('default', { minVersion: 'TLSv1' })));
    const { answer } = await ask(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' });
    expect(answer).toMatchObject({ version: 'TLSv1' });
  });

  it('agree on http/1.1, and refuse a client that offers only what is not spoken', async () => {
    const { server, port } = await serve(tlsSnapshot(fallback, all));
    expect((await ask(port, { ALPNProtocols: ['h2', 'http/1.1'] })).answer).toMatchObject({ alpn: 'http/1.1' });
    expect((await ask(port, {})).answer).toMatchObject({ alpn: false });
    const refused = await openssl(port, ['-alpn', 'h2']);
    expect(refused.output).toMatch(/alert no application protocol/);
    expect(server.failures).toMatchObject([{ reason: 'no-common-alpn' }]);
  });

  it('refuse every offer where no configured protocol is spoken', async () => {
    const { port } = await serve(tlsSnapshot(fallback, all, tlsOptions('default', { alpnProtocols: ['h2'] })));
    expect((await openssl(port, ['-alpn', 'http/1.1'])).output).toMatch(/alert no application protocol/);
    expect((await ask(port, {})).answer).toMatchObject({ alpn: false });
  });

  it('that are unknown or in error refuse the handshake and never fall back', async () => {
    const snapshot = tlsSnapshot(fallback, all, tlsOptions('bad@file', { refuse: 'the client CA cannot be read' }));
    const { server, port } = await serve(snapshot, [
      { host: 'a.test', options: 'bad@file' },
      { host: 'b.test', options: 'nowhere@file' },
    ]);
    expect((await ask(port, { servername: 'a.test' })).answer).toBeNull();
    expect((await ask(port, { servername: 'b.test' })).answer).toBeNull();
    expect(server.failures).toMatchObject([
      { reason: 'options-refused', detail: 'the client CA cannot be read' },
      { reason: 'options-refused' },
    ]);
  });
});
