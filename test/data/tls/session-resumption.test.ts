import { afterAll, describe, expect, it } from 'vitest';
import { compileTls } from '../../../src/data/tls/certificate-store.ts';
import { tlsOptions, tlsSnapshot, Workshop } from './certificates.ts';
import { openssl, serverFixture } from './server.ts';

const shop = new Workshop();
const fallback = shop.make(['default.test']);
const a = shop.make(['a.test']);
const b = shop.make(['b.test', 'also-b.test'], undefined, 'rsa');
const all = [a, b];
const authority = shop.make(['authority.test']);
const otherAuthority = shop.make(['other-authority.test']);
const goodClient = shop.make(['good.client'], authority);

const serve = serverFixture();
afterAll(() => shop.remove());

describe('session resumption', () => {
  for (const version of ['-tls1_2', '-tls1_3']) {
    it(`works from one worker to another, ${version}`, async () => {
      const one = await serve(tlsSnapshot(fallback, all));
      const two = await serve(tlsSnapshot(fallback, all));
      const file = shop.write(`ticket${version}`, '');
      const args = [version, '-servername', 'a.test'];
      expect((await openssl(one.port, [...args, '-sess_out', file])).answer).toMatchObject({ resumed: false });
      expect((await openssl(two.port, [...args, '-sess_in', file])).answer).toMatchObject({ resumed: true });
    });

    it(`does not happen without session tickets, ${version}`, async () => {
      const snapshot = tlsSnapshot(fallback, all, tlsOptions('default', { sessionTickets: false }));
      const { port } = await serve(snapshot);
      const file = shop.write(`no-ticket${version}`, '');
      const args = [version, '-servername', 'a.test'];
      await openssl(port, [...args, '-sess_out', file]);
      expect((await openssl(port, [...args, '-sess_in', file])).answer).toMatchObject({ resumed: false });
    });
  }

  it('ends when the client authorities change', async () => {
    const withCa = (ca: string) =>
      tlsSnapshot(
        fallback,
        all,
        tlsOptions('default', { clientAuth: { type: 'RequireAndVerifyClientCert', ca: [ca] } }),
      );
    const { server, port } = await serve(withCa(authority.cert));
    const cert = shop.write('client.crt', goodClient.cert);
    const key = shop.write('client.key', goodClient.key);
    const file = shop.write('mtls-ticket', '');
    const args = ['-tls1_3', '-servername', 'a.test', '-cert', cert, '-key', key];
    expect((await openssl(port, [...args, '-sess_out', file])).answer).toMatchObject({ clientVerified: true });
    expect((await openssl(port, [...args, '-sess_in', file])).answer).toMatchObject({
      resumed: true,
      clientVerified: true,
    });
    const info = server.infos[0]!;
    expect(server.runtime.entryPoint('websecure').isMisdirected('a.test', info)).toBe(false);
    server.runtime = compileTls(withCa(otherAuthority.cert), { websecure: [] }, server.runtime);
    expect((await openssl(port, [...args, '-sess_in', file])).answer).toBeNull();
    // And a connection that was made under the old ones is not good for another request.
    expect(server.runtime.entryPoint('websecure').isMisdirected('a.test', info)).toBe(true);
  });
});
