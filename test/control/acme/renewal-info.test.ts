import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { renewalId } from '../../../src/control/acme/renewal-info.ts';
import { startCaFront } from '../../support/ca-front.ts';
import { makeCa } from '../../support/certs.ts';
import { fetchJson } from '../../support/fetch-json.ts';
import { PEBBLE_TOOLS, startPebble } from '../../support/pebble.ts';
import { toolsMissing } from '../../support/tools.ts';
import { waitFor } from '../../support/wait-for.ts';
import { manage } from './support.ts';

const DAY = 86_400_000;

/** The example of RFC 9773, appendix A. */
const RFC_EXAMPLE = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----`;

describe('the name of a certificate for renewal information', () => {
  it('is that of RFC 9773', () => {
    expect(renewalId(RFC_EXAMPLE)).toBe('aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE');
  });

  it('is made of what node reads in it', () => {
    const { cert } = makeCa().issue({ sans: ['a.test'] });
    const serial = Buffer.from(renewalId(cert)?.split('.')[1] ?? '', 'base64url').toString('hex');
    expect(serial.toUpperCase()).toBe(new X509Certificate(cert).serialNumber);
  });
});

describe.skipIf(toolsMissing('renewal information from pebble', ...PEBBLE_TOOLS))(
  'a CA that says when to renew',
  () => {
    it('and then does not know the certificate that is replaced gives one all the same', async () => {
      await using pebble = await startPebble({ alwaysValid: true });
      await using front = await startCaFront(pebble.directory);
      const directory = await fetchJson(front.directory, front.root);
      const renewalInfo = front.directory.replace(/dir$/, 'ari');
      const window = { start: new Date(Date.now() + DAY), end: new Date(Date.now() + 2 * DAY) };
      const problem = { type: 'urn:ietf:params:acme:error:serverInternal', detail: 'could not find an order' };
      let refuse = 1;
      front.fault = ({ path }) => {
        if (path === '/dir') return { status: 200, body: JSON.stringify({ ...directory, renewalInfo }) };
        if (path.startsWith('/ari/')) return { status: 200, body: JSON.stringify({ suggestedWindow: window }) };
        const second = path === '/order-plz' && front.seen.some((line) => line.startsWith('GET /ari/'));
        return second && refuse-- > 0 ? { status: 500, body: JSON.stringify(problem) } : undefined;
      };
      await using it = await manage({
        resolvers: { mesh: { caServer: front.directory, caCertificates: [front.root], httpChallenge: {} } },
      });
      it.want('replaced.test');
      await it.certificate('replaced.test');
      await waitFor(
        'the wish',
        () => (it.manager.status()[0]?.nextRenewal ?? Number.POSITIVE_INFINITY) < Date.now() + 3 * DAY,
      );
      await it.manager.renew('replaced.test');
      expect(front.seen.filter((line) => line === 'POST /order-plz')).toHaveLength(3);
      expect(it.lines.filter((line) => !/^(info|debug)/.test(line))).toEqual([]);
    });

    it('is heard', async () => {
      await using pebble = await startPebble({ alwaysValid: true });
      await using front = await startCaFront(pebble.directory);
      const [start, end] = [Date.now() + 20 * DAY, Date.now() + 21 * DAY];
      const suggestedWindow = { start: new Date(start).toISOString(), end: new Date(end).toISOString() };
      // Debian's pebble has no such service: the front has it.
      const directory = await fetchJson(front.directory, front.root);
      const renewalInfo = front.directory.replace(/dir$/, 'ari');
      front.fault = ({ path }) => {
        if (path === '/dir') return { status: 200, body: JSON.stringify({ ...directory, renewalInfo }) };
        if (!path.startsWith('/ari/')) return undefined;
        return { status: 200, headers: { 'retry-after': '21600' }, body: JSON.stringify({ suggestedWindow }) };
      };
      await using it = await manage({
        resolvers: { mesh: { caServer: front.directory, caCertificates: [front.root], httpChallenge: {} } },
      });
      it.want('ari.test');
      await it.certificate('ari.test');
      await waitFor('the wish', () => (it.manager.status()[0]?.nextRenewal ?? Number.POSITIVE_INFINITY) <= end, {
        describe: () => `${front.seen.join('\n')}\n${it.lines.join('\n')}`,
      });
      expect(it.manager.status()[0]?.nextRenewal).toBeGreaterThanOrEqual(start - 1000);
      // The CA is told what the next one comes after.
      const before = it.manager.certificates()[0]?.cert;
      const [renewed] = await it.manager.renew('ari.test');
      expect(renewed?.cert).not.toBe(before);
      expect(front.seen.filter((line) => line === `GET /ari/${renewalId(before ?? '')}`)).toHaveLength(1);
    });
  },
);
