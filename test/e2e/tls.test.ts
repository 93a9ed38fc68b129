import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCa, type TestCertificate } from '../support/certs.ts';
import {
  type HttpUpstream,
  startEchoServer,
  startHttpUpstream,
  type UpstreamOptions,
} from '../support/http-upstreams.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { type TempDir, tempDir } from '../support/temp.ts';
import { waitFor } from '../support/wait-for.ts';
import { workersOf } from './setup.ts';

const ca = makeCa('Phoenix Test CA');
let temp: TempDir;
let app: HttpUpstream;

beforeAll(async () => {
  temp = await tempDir();
  app = await startEchoServer();
  await writeFile(join(temp.path, 'ca.pem'), ca.cert);
});

afterAll(async () => {
  await app.close();
  await temp.remove();
});

/** What `openssl s_client` tells of one connection. */
interface Seen {
  /** Everything it printed, the response included. */
  readonly text: string;
  /** The server's leaf. */
  readonly certificate: X509Certificate | undefined;
  /** Whether the chain and the name asked for hold against the test CA. */
  readonly verified: boolean;
  readonly resumed: boolean;
  /** Of the HTTP response; undefined where none came. */
  readonly status: number | undefined;
}

interface ClientOptions {
  /** Server name; null sends none. */
  readonly sni: string | null;
  /** Host header; the server name unless told. */
  readonly host?: string;
  readonly args?: readonly string[];
}

/** One request by OpenSSL's own client, which verifies but goes on whatever it finds. */
async function openssl(port: number, { sni, host, args = [] }: ClientOptions): Promise<Seen> {
  const name = sni === null ? ['-noservername'] : ['-servername', sni, '-verify_hostname', sni];
  const trust = ['-CAfile', join(temp.path, 'ca.pem'), '-no-CApath'];
  const child = spawn(
    'openssl',
    ['s_client', '-connect', `127.0.0.1:${port}`, '-ign_eof', ...name, ...trust, ...args],
    { stdio: ['pipe', 'pipe', 'pipe'], timeout: 60_000 },
  );
  let [said, complained] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (part) => (said += part));
  child.stderr.setEncoding('utf8').on('data', (part) => (complained += part));
  child.stdin.on('error', () => undefined); // it ended first: its output says why
  child.stdin.end(`GET / HTTP/1.1\r\nHost: ${host ?? sni ?? 'none.test'}\r\nConnection: close\r\n\r\n`);
  await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  const text = said + complained;
  const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text)?.[0];
  // Anywhere: s_client writes it into the middle of its own lines.
  const status = /HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
  return {
    text,
    certificate: pem === undefined ? undefined : new X509Certificate(pem),
    verified: text.includes('Verify return code: 0 (ok)'),
    resumed: text.includes('Reused, TLSv1'),
    status: status === undefined ? undefined : Number(status),
  };
}

function pair({ cert, key }: TestCertificate): { certFile: string; keyFile: string } {
  return { certFile: cert, keyFile: key };
}

function fingerprint({ cert }: TestCertificate): string {
  return new X509Certificate(cert).fingerprint256;
}

/** A secure entry point where every host leads to the echo server. */
function secureProxy(tls: Record<string, unknown>, options: { workers?: number } = {}): Promise<ProxyProcess> {
  return startProxy({
    ...options,
    static: { entryPoints: { secure: { http: { tls: {} } } } },
    dynamic: {
      http: {
        routers: { all: { rule: 'PathPrefix(`/`)', service: 'app' } },
        services: { app: { loadBalancer: { servers: [{ url: app.url }] } } },
      },
      tls,
    },
  });
}

describe('the certificate by server name', () => {
  const one = ca.issue({ sans: ['one.test'] });
  const two = ca.issue({ sans: ['two.test', 'zwei.test'] });
  const wild = ca.issue({ sans: ['*.wild.test'] });
  let proxy: ProxyProcess;

  beforeAll(async () => {
    proxy = await secureProxy({ certificates: [pair(one), pair(two), pair(wild)] });
  });
  afterAll(() => proxy.stop());

  it.each([
    ['one.test', one],
    ['ONE.test', one],
    ['two.test', two],
    ['zwei.test', two],
    ['any.wild.test', wild],
  ])('%s', async (sni, expected) => {
    const seen = await openssl(proxy.port(), { sni });
    expect(seen.certificate?.fingerprint256).toBe(fingerprint(expected));
    expect(seen).toMatchObject({ verified: true, status: 200 });
  });

  it.each(['other.test', 'deep.any.wild.test', 'wild.test', null])('is the generated default for %s', async (sni) => {
    const seen = await openssl(proxy.port(), { sni });
    const known = [one, two, wild].map(fingerprint);
    expect(seen.certificate).toBeDefined();
    expect(known).not.toContain(seen.certificate?.fingerprint256);
    expect(seen.certificate?.verify(seen.certificate.publicKey)).toBe(true);
    expect(seen).toMatchObject({ verified: false, status: 200 });
  });
});

describe('a certificate file that is replaced', () => {
  it.each([
    ['with the same key', false],
    ['with its key', true],
  ])('%s is served to new handshakes without a reload, while an open connection lives on', async (_, newKey) => {
    const certFile = join(temp.path, `swap-${newKey}.pem`);
    const keyFile = join(temp.path, `swap-${newKey}.key`);
    const replace = async (file: string, text: string): Promise<void> => {
      await writeFile(`${file}.next`, text);
      await rename(`${file}.next`, file);
    };
    const before = ca.issue({ sans: ['swap.test'] });
    const after = ca.issue({ sans: ['swap.test'], ...(newKey ? {} : { key: before.key }) });
    await replace(certFile, before.cert);
    await replace(keyFile, before.key);
    await using proxy = await secureProxy({ certificates: [{ certFile, keyFile }] });
    await using open = await RawClient.connect({
      port: proxy.port(),
      tls: { servername: 'swap.test', ca: ca.cert, rejectUnauthorized: true },
    });
    const request = 'GET / HTTP/1.1\r\nHost: swap.test\r\n\r\n';
    await open.write(request);
    await open.waitForResponses(1);
    const served = async (): Promise<string | undefined> =>
      (await openssl(proxy.port(), { sni: 'swap.test' })).certificate?.fingerprint256;
    expect(await served()).toBe(fingerprint(before));

    await replace(certFile, after.cert);
    if (newKey) await replace(keyFile, after.key);
    await waitFor('the new certificate', async () => (await served()) === fingerprint(after), {
      describe: proxy.output,
    });
    expect(await openssl(proxy.port(), { sni: 'swap.test' })).toMatchObject({ verified: true, status: 200 });

    await open.write(request);
    const { responses } = await open.waitForResponses(2);
    expect(responses.map((response) => response.status)).toEqual([200, 200]);
  });
});

describe('mutual TLS for one host', () => {
  const clients = makeCa('Client CA');
  let proxy: ProxyProcess;
  let certArgs: (of: TestCertificate, name: string) => Promise<string[]>;

  beforeAll(async () => {
    certArgs = async ({ cert, key }, name) => {
      const [certPath, keyPath] = [join(temp.path, `${name}.pem`), join(temp.path, `${name}.key`)];
      await writeFile(certPath, cert);
      await writeFile(keyPath, key);
      return ['-cert', certPath, '-key', keyPath];
    };
    proxy = await startProxy({
      static: { entryPoints: { secure: { http: { tls: {} } } } },
      dynamic: {
        http: {
          routers: {
            open: { rule: 'Host(`open.test`)', service: 'app' },
            mutual: { rule: 'Host(`mutual.test`)', service: 'app', tls: { options: 'mutual' } },
          },
          services: { app: { loadBalancer: { servers: [{ url: app.url }] } } },
        },
        tls: {
          certificates: [pair(ca.issue({ sans: ['open.test', 'mutual.test'] }))],
          options: {
            mutual: { clientAuth: { caFiles: [clients.cert], clientAuthType: 'RequireAndVerifyClientCert' } },
          },
        },
      },
    });
  });
  afterAll(() => proxy.stop());

  it('serves a client with a certificate of the CA', async () => {
    const args = await certArgs(clients.issue({ sans: ['client'] }), 'client');
    expect(await openssl(proxy.port(), { sni: 'mutual.test', args })).toMatchObject({ verified: true, status: 200 });
  });

  it.each(['-tls1_3', '-tls1_2'])('refuses a client without, and one of another CA (%s)', async (version) => {
    const before = app.requests;
    const none = await openssl(proxy.port(), { sni: 'mutual.test', args: [version] });
    expect(none.status).toBeUndefined();
    expect(none.text).toMatch(/alert|errno|closed|unexpected eof/i);
    const foreign = await certArgs(makeCa('Other CA').issue({ sans: ['client'] }), 'foreign');
    const other = await openssl(proxy.port(), { sni: 'mutual.test', args: [version, ...foreign] });
    expect(other.status).toBeUndefined();
    expect(app.requests).toBe(before);
  });

  it('asks nothing of the clients of the other host', async () => {
    expect((await openssl(proxy.port(), { sni: 'open.test' })).status).toBe(200);
  });

  it('answers 421 where the Host has other TLS options than the server name, and asks no upstream', async () => {
    const before = app.requests;
    const args = await certArgs(clients.issue({ sans: ['client'] }), 'client421');
    expect((await openssl(proxy.port(), { sni: 'open.test', host: 'mutual.test' })).status).toBe(421);
    expect((await openssl(proxy.port(), { sni: null, host: 'mutual.test' })).status).toBe(421);
    expect((await openssl(proxy.port(), { sni: 'mutual.test', host: 'open.test', args })).status).toBe(421);
    expect(app.requests).toBe(before);
  });
});

describe('a session', () => {
  it.each(['-tls1_3', '-tls1_2'])('is resumed by the worker that did not make it (%s)', async (version) => {
    await using proxy = await secureProxy({ certificates: [pair(ca.issue({ sans: ['a.test'] }))] }, { workers: 2 });
    await proxy.waitForOutput(/ready: .* 2 workers/);
    const workers = workersOf(proxy.pid);
    expect(workers).toHaveLength(2);
    /** Both accept from one listening socket: while the others are stopped, this one has to. */
    const only = async <T>(worker: number, work: () => Promise<T>): Promise<T> => {
      const others = workers.filter((pid) => pid !== worker);
      for (const pid of others) process.kill(pid, 'SIGSTOP');
      try {
        return await work();
      } finally {
        for (const pid of others) process.kill(pid, 'SIGCONT');
      }
    };
    for (const [index, maker] of workers.entries()) {
      const file = join(temp.path, `session${version}-${index}`);
      const first = await only(maker, () =>
        openssl(proxy.port(), { sni: 'a.test', args: [version, '-sess_out', file] }),
      );
      expect(first).toMatchObject({ resumed: false, status: 200 });
      // One, as from Go's servers: OpenSSL's second is work for nothing.
      if (version === '-tls1_3') expect(first.text.split('New Session Ticket arrived').length - 1).toBe(1);
      for (const taker of workers) {
        const next = await only(taker, () =>
          openssl(proxy.port(), { sni: 'a.test', args: [version, '-sess_in', file] }),
        );
        expect(next).toMatchObject({ resumed: true, status: 200 });
      }
    }
  });
});

describe('a certificate that is no good', () => {
  it('gets a diagnostic that names it, and the rest is served', async () => {
    const good = ca.issue({ sans: ['good.test'] });
    const foreignKey = join(temp.path, 'foreign.key');
    const mismatched = join(temp.path, 'mismatched.pem');
    const garbage = join(temp.path, 'garbage.pem');
    await writeFile(mismatched, ca.issue({ sans: ['bad.test'] }).cert);
    await writeFile(foreignKey, good.key);
    await writeFile(garbage, 'no PEM at all\n');
    const expired = ca.issue({ sans: ['old.test'], notBefore: new Date(0), notAfter: new Date(86_400_000) });
    await using proxy = await secureProxy({
      certificates: [
        { certFile: mismatched, keyFile: foreignKey },
        { certFile: garbage, keyFile: foreignKey },
        { certFile: join(temp.path, 'absent.pem'), keyFile: foreignKey },
        pair(expired),
        pair(good),
      ],
    });
    await proxy.waitForOutput(/foreign\.key does not belong to the certificate \S*mismatched\.pem/);
    await proxy.waitForOutput(/garbage\.pem/);
    await proxy.waitForOutput(/absent\.pem/);
    await proxy.waitForOutput(/old\.test\) expired at 1970-01-02/);
    expect(await openssl(proxy.port(), { sni: 'good.test' })).toMatchObject({ verified: true, status: 200 });
    const bad = await openssl(proxy.port(), { sni: 'bad.test' });
    expect(bad).toMatchObject({ verified: false, status: 200 });
    const old = await openssl(proxy.port(), { sni: 'old.test' });
    expect(old.certificate?.fingerprint256).toBe(fingerprint(expired));
    expect(old.text).toContain('certificate has expired');
  });
});

describe('an https upstream', () => {
  const clients = makeCa('Proxy CA');
  let upstreams: HttpUpstream[];
  let proxy: ProxyProcess;

  beforeAll(async () => {
    // The certificate names another host than the address, which is all that the URL says.
    const certificate = ca.issue({ sans: ['backend.internal'] });
    const open = await startTlsUpstream(certificate);
    const demands = { ...certificate, ca: clients.cert, requestCert: true, rejectUnauthorized: true };
    const mutual = await startTlsUpstream(demands);
    upstreams = [open, mutual];
    const named = { rootCAs: [ca.cert], serverName: 'backend.internal' };
    const transports: Record<string, Record<string, unknown>> = {
      named,
      skip: { insecureSkipVerify: true },
      wrongca: { ...named, rootCAs: [makeCa('Other CA').cert] },
      wrongname: { ...named, serverName: 'other.internal' },
      noname: { rootCAs: [ca.cert] },
      mutual: { ...named, certificates: [pair(clients.issue({ sans: ['the-proxy'] }))] },
      nocert: named,
    };
    const names = Object.keys(transports);
    const url = (name: string): string => (name === 'mutual' || name === 'nocert' ? mutual.url : open.url);
    const table = (row: (name: string) => unknown): Record<string, unknown> =>
      Object.fromEntries(names.map((name) => [name, row(name)]));
    proxy = await startProxy({
      dynamic: {
        http: {
          routers: table((name) => ({ rule: `Host(\`${name}.test\`)`, service: name })),
          services: table((name) => ({
            loadBalancer: { servers: [{ url: url(name) }], serversTransport: name },
          })),
          serversTransports: transports,
        },
      },
    });
  });

  afterAll(async () => {
    await proxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.close()));
  });

  /** Answers who is there: the server name asked for and the client's name. */
  function startTlsUpstream(tls: NonNullable<UpstreamOptions['tls']>): Promise<HttpUpstream> {
    return startHttpUpstream(
      (request, response) => {
        const socket = request.socket as TLSSocket;
        response.end(`${socket.servername || '-'} ${socket.getPeerCertificate().subject?.CN ?? '-'}`);
      },
      { tls },
    );
  }

  it.each([
    ['rootCAs and serverName', 'named', 'backend.internal -'],
    ['insecureSkipVerify', 'skip', '- -'],
    ['a client certificate', 'mutual', 'backend.internal the-proxy'],
  ])('is reached by %s', async (_, name, expected) => {
    const { responses } = await sendRaw({
      port: proxy.port(),
      chunks: [`GET / HTTP/1.1\r\nHost: ${name}.test\r\n\r\n`],
    });
    expect(responses[0]?.status).toBe(200);
    expect(responses[0]?.body.toString()).toBe(expected);
  });

  it.each([
    ['another CA', 'wrongca'],
    ['another name', 'wrongname'],
    ['a name that is not the address', 'noname'],
    ['no client certificate where one is demanded', 'nocert'],
  ])('is 502 with %s, and sees no request', async (_, name) => {
    const before = upstreams.map((upstream) => upstream.requests);
    const { responses } = await sendRaw({
      port: proxy.port(),
      chunks: [`GET / HTTP/1.1\r\nHost: ${name}.test\r\n\r\n`],
    });
    expect(responses[0]?.status).toBe(502);
    expect(upstreams.map((upstream) => upstream.requests)).toEqual(before);
  });
});
