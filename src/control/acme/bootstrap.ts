import { createHash, X509Certificate } from 'node:crypto';
import { AcmeError } from './acme-error.ts';
import type { CaEndpoint } from './ca-endpoint.ts';
import { askCa, caAgent } from './ca-request.ts';

const TIMEOUT_MS = 10_000;

/**
 * The root certificate of a step-ca, by its fingerprint: `GET /root/{sha256}`. The connection is not verified, because nothing
 * is there to verify it by; what it brought is, because only one certificate has that fingerprint.
 *
 * @param fingerprint SHA-256 in lower-case hexadecimal
 * @returns PEM
 * @throws AcmeError where the CA cannot be reached, has no such root, or gives another one
 */
export async function fetchRoot(endpoint: CaEndpoint, fingerprint: string): Promise<string> {
  const agent = caAgent(endpoint, { ca: undefined, serverName: undefined, unverified: true });
  try {
    const url = new URL(`/root/${fingerprint}`, endpoint.url);
    const headers = { accept: 'application/json', 'user-agent': 'phoenix-proxy' };
    const answer = await askCa(endpoint, agent, {
      ...{ method: 'GET', url, headers, headTimeoutMs: TIMEOUT_MS, timeoutMs: TIMEOUT_MS },
    });
    const pem = answer.status === 200 ? rootOf(answer.body) : undefined;
    if (pem === undefined) {
      throw new AcmeError(
        'unreachable',
        `the CA ${endpoint.label} has no root certificate with the caFingerprint ${fingerprint.slice(0, 16)}… (it answered ${answer.status}): step certificate fingerprint root_ca.crt says it`,
      );
    }
    const found = createHash('sha256').update(pem.raw).digest('hex');
    if (found !== fingerprint) {
      throw new AcmeError(
        'unreachable',
        `the root certificate that came from ${endpoint.label} has the fingerprint ${found}, not the caFingerprint: something else answers there`,
      );
    }
    return pem.toString();
  } finally {
    agent.destroy();
  }
}

function rootOf(body: string): X509Certificate | undefined {
  try {
    const { ca } = JSON.parse(body) as { ca?: unknown };
    return typeof ca === 'string' ? new X509Certificate(ca) : undefined;
  } catch {
    // Not the answer of a step-ca; the caller says so.
    return undefined;
  }
}
