import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOST } from './load/load.ts';
import type { Certificate } from './peers/peer.ts';
import { findProgram, runToEnd } from './processes.ts';

/** null when certificates can be made here; else what is missing. */
export function certificateMissing(): string | null {
  return findProgram('openssl') === null ? 'openssl is not installed: it makes the certificate' : null;
}

/** Makes a P-256 certificate for `localhost`, signed by itself, that all peers share. Throws when openssl fails. */
export function makeCertificate(directory: string): Certificate {
  const certFile = join(directory, 'certificate.pem');
  const keyFile = join(directory, 'key.pem');
  const bothFile = join(directory, 'both.pem');
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  const subject = ['-days', '7', '-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`];
  runToEnd('openssl', ['req', '-x509', ...key, ...subject, '-out', certFile]);
  writeFileSync(bothFile, readFileSync(certFile, 'utf8') + readFileSync(keyFile, 'utf8'), { mode: 0o600 });
  return { certFile, keyFile, bothFile };
}
