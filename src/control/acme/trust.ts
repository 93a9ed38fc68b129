import { readFile } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { getCACertificates } from 'node:tls';
import type { AcmeConfig } from '../../core/config/static.ts';
import { isInlinePem } from '../tls/pem.ts';
import { AcmeError } from './acme-error.ts';
import { fetchRoot } from './bootstrap.ts';
import type { CaEndpoint } from './ca-endpoint.ts';

/** What a resolver's CA is verified against, and by which name. */
export interface Trust {
  /** PEM texts. */
  readonly roots: readonly string[];
  /** The name that its certificate must have, where that is not the one in its URL. */
  readonly serverName: string | undefined;
}

/**
 * Collects the roots of a resolver: its files, the one with its fingerprint (fetched from the CA), the system's where there is
 * neither or it is asked for. lego's
 * environment variables stand in where the resolver says nothing, as they do for Traefik.
 *
 * @throws AcmeError where a file cannot be read, or the CA has no such root
 */
export async function loadTrust(config: AcmeConfig, endpoint: CaEndpoint, env: NodeJS.ProcessEnv): Promise<Trust> {
  const files =
    config.caCertificates.length > 0 ? config.caCertificates : (env.LEGO_CA_CERTIFICATES ?? '').split(delimiter);
  const roots = await Promise.all(files.filter((file) => file !== '').map(readRoot));
  if (config.caFingerprint !== undefined) roots.push(await fetchRoot(endpoint, config.caFingerprint));
  const system = config.caSystemCertPool || env.LEGO_CA_SYSTEM_CERT_POOL === 'true';
  // A private root is often installed in the system (step certificate install): Node alone would not look there.
  if (roots.length === 0 || system) roots.push(...getCACertificates('system'), ...getCACertificates('default'));
  return { roots, serverName: config.caServerName ?? env.LEGO_CA_SERVER_NAME };
}

async function readRoot(file: string): Promise<string> {
  if (isInlinePem(file)) return file;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === 'ENOENT'
        ? 'does not exist'
        : `cannot be read: ${(error as Error).message}`;
    throw new AcmeError('unreachable', `the CA's root certificate ${file} ${why}`, { cause: error });
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new AcmeError('unreachable', `the CA's root certificate ${file} holds no PEM certificate`);
  }
  return text;
}
