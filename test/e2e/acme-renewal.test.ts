import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startAcmeProxy, storageIn, waitForCertificates } from '../support/acme-proxy.ts';
import type { ProxyProcess } from '../support/proxy.ts';
import { STEP_CA_TOOLS, startStepCa } from '../support/step-ca.ts';
import { tempDir } from '../support/temp.ts';
import { toolsMissing } from '../support/tools.ts';

/**
 * Short certificates for a while under load. PHOENIX_RENEWAL_MINUTES=15 does it as an operator would see it: certificates of
 * five minutes, for that long.
 */
const MINUTES = Number(process.env.PHOENIX_RENEWAL_MINUTES ?? 0);
const SETTING =
  MINUTES > 0
    ? { duration: '5m', backdate: '1m', forMs: MINUTES * 60_000 }
    : { duration: '40s', backdate: '1s', forMs: 75_000 };
const HOSTS = ['a.test', 'b.test', 'c.test'];

interface Seen {
  readonly certificate: X509Certificate;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Handshakes by `openssl s_client`, one after the other, each checked against the root and the name. */
function watch(proxy: ProxyProcess, host: string, root: string) {
  const seen: Seen[] = [];
  const failures: string[] = [];
  let handshakes = 0;
  let stopping = false;
  const once = (): Promise<string> =>
    new Promise((resolve) => {
      const child = execFile(
        'openssl',
        // biome-ignore format: one option a group
        ['s_client', '-connect', `127.0.0.1:${proxy.port('websecure')}`, '-servername', host, '-CAfile', root, '-verify_return_error', '-verify_hostname', host, '-showcerts'],
        { env: { ...process.env, OPENSSL_CONF: '/dev/null' } },
        (error, stdout, stderr) => {
          if (error !== null && failures.length < 20)
            failures.push(`${new Date().toISOString()} ${error.message} ${stderr}`);
          resolve(stdout);
        },
      );
      child.stdin?.end();
    });
  const done = (async () => {
    while (!stopping) {
      const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(await once())?.[0];
      handshakes++;
      if (pem !== undefined) {
        const certificate = new X509Certificate(pem);
        // One worker may go on with the old one for a moment.
        if (!seen.some((one) => one.certificate.serialNumber === certificate.serialNumber))
          seen.push({ certificate, at: Date.now() });
      }
      await sleep(50);
    }
  })();
  return {
    seen,
    failures,
    handshakes: () => handshakes,
    stop: async () => {
      stopping = true;
      await done;
    },
  };
}

/** Requests over TLS that check the chain: on a kept connection, and each on its own. */
function load(proxy: ProxyProcess, ca: string, keepAlive: boolean) {
  const agent = new Agent({ keepAlive, maxSockets: 2, ca });
  const failures: string[] = [];
  let answered = 0;
  let stopping = false;
  const once = (): Promise<void> =>
    new Promise((resolve) => {
      const fail = (why: string): void => {
        if (failures.length < 20) failures.push(why);
        resolve();
      };
      const host = HOSTS[answered % HOSTS.length]!;
      const asked = request(
        {
          agent,
          host: '127.0.0.1',
          port: proxy.port('websecure'),
          servername: host,
          path: '/api/version',
          headers: { Host: host },
        },
        (response) => {
          response.resume();
          response.once('error', (error) => fail(error.message));
          response.once('end', () => (response.statusCode === 200 ? resolve() : fail(String(response.statusCode))));
        },
      );
      asked.once('error', (error) => fail(error.message));
      asked.end();
    });
  const done = (async () => {
    while (!stopping) {
      await once();
      answered++;
      await sleep(5);
    }
  })();
  return {
    failures,
    answered: () => answered,
    stop: async () => {
      stopping = true;
      await done;
      agent.destroy();
    },
  };
}

describe.skipIf(toolsMissing('renewals under load', ...STEP_CA_TOOLS))('short certificates', () => {
  it(
    'are renewed at two thirds of their life, and no handshake and no request fails',
    async () => {
      await using temp = await tempDir();
      await using ca = await startStepCa(SETTING);
      const root = await readFile(ca.rootFile, 'utf8');
      await using proxy = await startAcmeProxy(ca, { hosts: HOSTS, storage: storageIn(temp.path) });
      await waitForCertificates(proxy, HOSTS);
      const watches = HOSTS.map((host) => watch(proxy, host, ca.rootFile));
      const loads = [load(proxy, root, true), load(proxy, root, false)];
      await sleep(SETTING.forMs);
      await Promise.all([...watches, ...loads].map((one) => one.stop()));

      expect(watches.flatMap(({ failures }) => failures)).toEqual([]);
      expect(loads.flatMap(({ failures }) => failures)).toEqual([]);
      const shares: number[] = [];
      for (const { seen } of watches) {
        expect(seen.length).toBeGreaterThan(1);
        for (const [index, { at }] of seen.entries()) {
          const before = seen[index - 1]?.certificate;
          if (before === undefined) continue;
          const from = before.validFromDate.getTime();
          shares.push((at - from) / (before.validToDate.getTime() - from));
        }
      }
      const [least, most] = [Math.min(...shares), Math.max(...shares)];
      console.log(
        `${watches.reduce((sum, one) => sum + one.handshakes(), 0)} handshakes by openssl, ${loads.map((one) => one.answered()).join(' + ')} requests (kept + own connections), ${shares.length} renewals at ${least.toFixed(3)} to ${most.toFixed(3)} of the life, 0 failures`,
      );
      // Two thirds, give or take a tenth of it; a renewal may meet a machine that stands still, all of them do not.
      expect(least).toBeGreaterThan(0.6);
      expect(least).toBeLessThan(0.734);
      expect(most).toBeLessThan(1);
    },
    SETTING.forMs + 60_000,
  );
});
