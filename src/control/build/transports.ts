import { X509Certificate } from 'node:crypto';
import type { ServersTransport } from '../../core/config/dynamic.ts';
import type { DefaultServersTransport } from '../../core/config/static.ts';
import type { KeyPairPem, ServersTransportSnapshot } from '../../core/snapshot.ts';
import { mapCipherSuite } from '../../core/tls/cipher-suites.ts';
import { compareVersions, mapVersion } from '../../core/tls/versions.ts';
import { fileOrContent } from '../tls/file-or-content.ts';
import { loadKeyPair } from '../tls/load-certificate.ts';
import { describePem, isCertificate, pemBlocks } from '../tls/pem.ts';
import { type Findings, type Place, pointTo, Subject } from './findings.ts';
import type { Entries, Entry } from './merge.ts';
import { DEFAULT_TRANSPORT, INTERNAL } from './names.ts';
import type { Reader } from './reader.ts';

/** The static configuration's `serversTransport` as the transport of services that name none. */
export function defaultTransport(config: DefaultServersTransport, place: Place): Entry<ServersTransport> {
  const { insecureSkipVerify, rootCAs, maxIdleConnsPerHost, forwardingTimeouts, spiffe } = config;
  const value: ServersTransport = {
    insecureSkipVerify,
    rootCAs,
    certificates: [],
    maxIdleConnsPerHost,
    // The dynamic schema knows more of them; these are its defaults.
    forwardingTimeouts: {
      readIdleTimeout: 0,
      pingTimeout: 15_000,
      readTimeout: 0,
      writeTimeout: 0,
      ...forwardingTimeouts,
    },
    disableHTTP2: false,
    ...(spiffe === undefined ? {} : { spiffe }),
  };
  return { name: DEFAULT_TRANSPORT, provider: INTERNAL, place, value, problems: [] };
}

/**
 * Checks every serversTransport and puts file contents in the place of paths. One whose authorities or certificates
 * cannot be had is disabled with all that use it: to go on with others, or without checking, is what nobody asked for.
 */
export function checkTransports(
  entries: Entries<ServersTransport>,
  reader: Reader,
  now: number,
  findings: Findings,
): Record<string, ServersTransportSnapshot> {
  const snapshots: Record<string, ServersTransportSnapshot> = {};
  for (const entry of entries.values()) {
    const subject = new Subject(findings, entry.place);
    for (const problem of entry.problems) subject.disable(problem);
    const config = entry.value ?? EMPTY;
    const rootCAs = config.rootCAs.flatMap((ca, index) => readAuthorities(ca, index, subject, reader));
    const certificates = config.certificates.flatMap((pair, index): KeyPairPem[] => {
      const place = pointTo(entry.place, { at: ['certificates', index] });
      const { certificate, diagnostics } = loadKeyPair({ ...pair, read: reader.file, now, place });
      subject.adopt(diagnostics);
      return certificate === null ? [] : [{ cert: certificate.cert, key: certificate.key }];
    });
    checkUnsupported(config, subject);
    checkVersions(config, subject);
    snapshots[entry.name] = {
      name: entry.name,
      status: subject.status,
      errors: subject.errors,
      config,
      rootCAs,
      certificates,
    };
  }
  return snapshots;
}

/** Stands for a transport that was rejected; it is disabled, so that nothing connects with it. */
const EMPTY: ServersTransport = {
  insecureSkipVerify: false,
  rootCAs: [],
  certificates: [],
  maxIdleConnsPerHost: 0,
  forwardingTimeouts: {
    dialTimeout: 30_000,
    responseHeaderTimeout: 0,
    idleConnTimeout: 90_000,
    readIdleTimeout: 0,
    pingTimeout: 15_000,
    readTimeout: 0,
    writeTimeout: 0,
  },
  disableHTTP2: false,
};

const USERS_NOT_SERVED = 'services that use this serversTransport are not served until it is mended';

function readAuthorities(pathOrPem: string, index: number, subject: Subject, reader: Reader): readonly string[] {
  const at = { at: ['rootCAs', index], value: true };
  const content = fileOrContent(pathOrPem, 'root CA', reader.file, pointTo(subject.place, at));
  if (!content.ok) {
    const { hint = USERS_NOT_SERVED } = content.diagnostic;
    subject.adopt([{ ...content.diagnostic, hint }]);
    return [];
  }
  const blocks = pemBlocks(content.text).filter(isCertificate);
  if (blocks.length === 0) {
    const message = `the root CA ${content.source} ${describePem(content.text)}, and no certificate`;
    subject.error('tls-ca-unreadable', message, { ...at, hint: USERS_NOT_SERVED });
  }
  const pems: string[] = [];
  for (const { text } of blocks) {
    try {
      new X509Certificate(text);
      pems.push(text);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const message = `the root CA ${content.source} cannot be parsed: ${why}`;
      subject.error('tls-ca-unreadable', message, { ...at, hint: USERS_NOT_SERVED });
    }
  }
  return pems;
}

function checkVersions({ cipherSuites = [], minVersion, maxVersion }: ServersTransport, subject: Subject): void {
  let usable = cipherSuites.length === 0;
  cipherSuites.forEach((name, index) => {
    const suite = mapCipherSuite(name);
    if (suite.ok && suite.value.kind !== 'removed') usable = true;
    if (suite.ok) return;
    const at = { at: ['cipherSuites', index], value: true };
    subject.warning('tls-unknown-name', suite.message, { ...at, hint: suite.hint });
  });
  if (!usable) subject.error('tls-no-cipher', 'none of the cipher suites can be offered', { at: ['cipherSuites'] });
  if (minVersion === undefined || maxVersion === undefined) return;
  const least = mapVersion(minVersion);
  const most = mapVersion(maxVersion);
  if (!least.ok || !most.ok || compareVersions(least.value, most.value) <= 0) return;
  const message = `maxVersion ${maxVersion} is older than minVersion ${minVersion}`;
  subject.error('tls-version-range', message, { at: ['maxVersion'], hint: 'swap them, or leave maxVersion out' });
}

/** Checks of the server's identity that are not done yet: without them more servers would be trusted than were meant. */
const UNSUPPORTED = ['peerCertURI', 'peerCertSANs', 'spiffe'] as const;

function checkUnsupported(config: ServersTransport, subject: Subject): void {
  for (const key of UNSUPPORTED) {
    if (config[key] === undefined) continue;
    subject.error('not-implemented', `serversTransport: \`${key}\` is not implemented yet`, {
      at: [key],
      hint: 'use `serverName` and `rootCAs`; services that use this serversTransport are not served',
    });
  }
}
