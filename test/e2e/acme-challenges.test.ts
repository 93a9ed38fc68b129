import { describe, expect, it, vi } from 'vitest';
import { handshake, servedCertificate, startAcmeProxy, storageIn, waitForCertificates } from '../support/acme-proxy.ts';
import { PEBBLE_TOOLS, type Pebble, startPebble } from '../support/pebble.ts';
import { RawClient } from '../support/raw-client.ts';
import { tempDir } from '../support/temp.ts';
import { toolsMissing } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';
import { workersOf } from './setup.ts';

// A proxy with its workers, and a CA: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 120_000 });

/** How many orders a pebble has seen. */
function orders(pebble: Pebble): number {
  return (pebble.output().match(/Added order/g) ?? []).length;
}

describe.skipIf(toolsMissing('ACME challenges end to end', ...PEBBLE_TOOLS))('challenges', () => {
  it('http-01 is answered by two workers before redirection and routers; the rest of the path is the operator’s', async () => {
    await using temp = await tempDir();
    await using pebble = await startPebble();
    const own = {
      // Wins over the redirection, and answers 401.
      acme: {
        rule: 'PathPrefix(`/.well-known/acme-challenge/`)',
        priority: Number.MAX_SAFE_INTEGER,
        service: 'api@internal',
        entryPoints: ['web'],
        middlewares: ['closed'],
      },
    };
    const middlewares = { closed: { basicAuth: { users: ['a:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/'] } } };
    await using proxy = await startAcmeProxy(pebble, {
      hosts: ['a.test', 'b.test', 'c.test'],
      storage: storageIn(temp.path),
      http: { routers: own, middlewares },
    });
    await proxy.waitForOutput(/ready: /);
    await waitForCertificates(proxy, ['a.test', 'b.test', 'c.test']);
    expect(orders(pebble)).toBe(3);
    const unknown = await fetch(`http://127.0.0.1:${proxy.port('web')}/.well-known/acme-challenge/nobody-knows-it`, {
      redirect: 'manual',
    });
    expect(unknown.status).toBe(401);
    const elsewhere = await fetch(`http://127.0.0.1:${proxy.port('web')}/`, { redirect: 'manual' });
    expect(elsewhere.status).toBe(301);
  });

  it('tls-alpn-01 is answered by two workers', async () => {
    await using temp = await tempDir();
    await using pebble = await startPebble();
    const hosts = ['a.test', 'b.test', 'c.test'];
    await using proxy = await startAcmeProxy(pebble, { hosts, challenge: 'tls', storage: storageIn(temp.path) });
    const before = await servedCertificate(proxy, 'a.test');
    // Pebble's have no subject.
    expect(before.checkHost('a.test') ?? before.subject).toMatch(/DEFAULT CERT|a\.test/);
    await waitForCertificates(proxy, hosts);
    await waitFor('the challenge to be forgotten', () =>
      handshake(proxy, 'a.test', { ALPNProtocols: ['acme-tls/1'] }).then(
        (socket) => void socket.destroy(),
        ({ message }) => /alpn|application protocol|ECONNRESET/i.test(message),
      ),
    );
  });

  it('are answered by a worker that was started in the middle of one', async () => {
    await using temp = await tempDir();
    await using pebble = await startPebble();
    await using proxy = await startAcmeProxy(pebble, {
      hosts: ['a.test'],
      storage: storageIn(temp.path),
      // Between the moment when the workers know and the word to the authority.
      acme: { httpChallenge: { entryPoint: 'web', delay: '5s' } },
    });
    await proxy.waitForOutput(/ready: /);
    await waitFor('the authorization to be asked for', () => pebble.output().includes('POST /authZ/'));
    const killed = workersOf(proxy.pid);
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    await waitForCertificates(proxy, ['a.test']);
    expect(workersOf(proxy.pid).filter((pid) => killed.includes(pid))).toEqual([]);
    expect(orders(pebble)).toBe(1);
  });

  it('leave open connections alone when their certificates come', async () => {
    await using temp = await tempDir();
    await using pebble = await startPebble();
    await using proxy = await startAcmeProxy(pebble, {
      hosts: ['a.test'],
      storage: storageIn(temp.path),
      acme: { httpChallenge: { entryPoint: 'web', delay: '5s' } },
    });
    const open = await handshake(proxy, 'a.test');
    expect(open.getPeerX509Certificate()?.subject).toMatch(/DEFAULT CERT/);
    await using client = new RawClient(open);
    const ask = async (): Promise<number | undefined> => {
      client.clear();
      await client.write('GET /api/version HTTP/1.1\r\nHost: a.test\r\n\r\n');
      return (await client.waitForResponses(1)).responses[0]?.status;
    };
    expect(await ask()).toBe(200);
    await waitForCertificates(proxy, ['a.test']);
    expect(await ask()).toBe(200);
    const live = /version \d+ is live in 2 workers.*routers="\+0 ~0 -0" services="\+0 ~0 -0" certificates="\+1 ~0 -0"/;
    await proxy.waitForOutput(live);
  });
});
