import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificateSnapshot, TlsOptionsSnapshot, TlsSnapshot } from '../../../src/core/snapshot.ts';

/** Makes certificates with the openssl command, in a directory of its own. */
export class Workshop {
  readonly directory = mkdtempSync(join(tmpdir(), 'phoenix-tls-'));
  #count = 0;

  /** A self-signed certificate, or one signed by `issuer`. */
  make(names: readonly string[], issuer?: CertificateSnapshot, key: 'ec' | 'rsa' = 'ec'): CertificateSnapshot {
    const base = join(this.directory, `c${++this.#count}`);
    const san = names.map((name) => (isIP(name) ? `IP:${name}` : `DNS:${name}`)).join(',');
    const algorithm = key === 'ec' ? ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['rsa:2048'];
    const args = ['req', '-x509', '-newkey', ...algorithm, '-nodes', '-keyout', `${base}.key`, '-out', `${base}.crt`];
    args.push('-days', '30', '-subj', `/CN=${names[0]}`, '-addext', `subjectAltName=${san}`);
    if (issuer !== undefined) {
      writeFileSync(`${base}.ca.crt`, issuer.cert);
      writeFileSync(`${base}.ca.key`, issuer.key);
      args.push('-CA', `${base}.ca.crt`, '-CAkey', `${base}.ca.key`);
      args.push('-addext', 'basicConstraints=critical,CA:FALSE');
    }
    execFileSync('openssl', args, { stdio: 'pipe' });
    return snapshotOf(readFileSync(`${base}.crt`, 'utf8'), readFileSync(`${base}.key`, 'utf8'), names, base);
  }

  /** Writes a file and gives its path. */
  write(name: string, content: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, content);
    return path;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function snapshotOf(cert: string, key: string, names: readonly string[], origin: string): CertificateSnapshot {
  const x509 = new X509Certificate(cert);
  return {
    cert,
    key,
    names,
    origin,
    fingerprint: x509.fingerprint256,
    notBefore: x509.validFromDate.getTime(),
    notAfter: x509.validToDate.getTime(),
  };
}

export function tlsOptions(name: string, changes: Partial<TlsOptionsSnapshot> = {}): TlsOptionsSnapshot {
  return {
    name,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    clientAuth: { type: 'NoClientCert', ca: [] },
    sniStrict: false,
    alpnProtocols: ['h2', 'http/1.1', 'acme-tls/1'],
    sessionTickets: true,
    ...changes,
  };
}

export function tlsSnapshot(
  defaultCertificate: CertificateSnapshot,
  certificates: readonly CertificateSnapshot[],
  ...options: readonly TlsOptionsSnapshot[]
): TlsSnapshot {
  return {
    certificates,
    defaultCertificate,
    options: Object.fromEntries([tlsOptions('default'), ...options].map((entry) => [entry.name, entry])),
    ticketKeys: Buffer.alloc(48, 7).toString('base64'),
  };
}
