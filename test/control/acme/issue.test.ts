import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { PEBBLE_TOOLS, startPebble } from '../../support/pebble.ts';
import { toolsMissing } from '../../support/tools.ts';
import { waitFor } from '../../support/wait-for.ts';
import { manage } from './support.ts';

describe.skipIf(toolsMissing('certificates from pebble', ...PEBBLE_TOOLS))('a certificate from pebble', () => {
  it("comes by http-01, and is stored in Traefik's format for the owner alone", async () => {
    await using pebble = await startPebble();
    const resolver = {
      caServer: pebble.directory,
      caCertificates: [pebble.rootFile],
      email: 'ops@a.test',
      httpChallenge: {},
    };
    await using it = await manage({ resolvers: { mesh: resolver }, responder: pebble });
    it.want(['A.test', 'b.a.test']);
    const cert = new X509Certificate(await it.certificate('a.test'));
    expect(cert.subjectAltName).toBe('DNS:a.test, DNS:b.a.test');
    expect(cert.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    await waitFor('the end of the order', () => it.manager.status()[0]?.state === 'valid');
    const file = JSON.parse(await readFile(it.storage, 'utf8'));
    expect((await stat(it.storage)).mode & 0o777).toBe(0o600);
    expect(file.mesh.Account.Email).toBe('ops@a.test');
    expect(file.mesh.Account.Registration.uri).toContain('/my-account/');
    expect(file.mesh.Certificates[0].domain).toEqual({ main: 'a.test', sans: ['b.a.test'] });
    expect(it.manager.status()).toMatchObject([{ state: 'valid', for: ['router-of-A.test'], failures: 0 }]);
  });

  it('comes by tls-alpn-01', async () => {
    await using pebble = await startPebble();
    const resolver = {
      caServer: pebble.directory,
      caCertificates: [pebble.rootFile],
      tlsChallenge: {},
      keyType: 'EC384',
    };
    await using it = await manage({ resolvers: { mesh: resolver }, responder: pebble });
    it.want('a.test', '127.0.0.1');
    const cert = new X509Certificate(await it.certificate('a.test'));
    expect(cert.publicKey.asymmetricKeyDetails?.namedCurve).toBe('secp384r1');
    expect(new X509Certificate(await it.certificate('127.0.0.1')).subjectAltName).toBe('IP Address:127.0.0.1');
  });
});
