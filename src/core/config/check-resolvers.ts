import { parseAddress } from './address.ts';
import { parseCaAddress } from './ca-address.ts';
import type { Report } from './check-report.ts';
import { DNS_PROVIDERS } from './resolvers.ts';
import type { AcmeConfig, StaticConfig } from './static.ts';
import { suggest } from './suggest.ts';

/** Where a certificate authority comes to look (RFC 8555 section 8.3, RFC 8737 section 3). */
const HTTP_PORT = 80;
const TLS_PORT = 443;

/**
 * Checks that an authority can reach what answers its challenges, as far as this can be told from here. Warnings alone:
 * what is wrong with certificates to come is no reason not to start.
 */
export function checkResolvers(config: StaticConfig, report: Report): void {
  for (const [name, { acme }] of Object.entries(config.certificatesResolvers)) {
    if (acme === undefined) continue;
    const { httpChallenge, tlsChallenge, dnsChallenge } = acme;
    if (httpChallenge === undefined && tlsChallenge === undefined && dnsChallenge === undefined) {
      report(
        'warning',
        'acme-no-challenge',
        ['certificatesResolvers', name, 'acme'],
        `certResolver "${name}" has no challenge: nothing can be ordered`,
        'add `httpChallenge: {entryPoint: web}`',
      );
    }
    if (httpChallenge !== undefined) checkHttp(name, httpChallenge, config, report);
    if (tlsChallenge !== undefined) checkTls(name, config, report);
    if (dnsChallenge !== undefined) checkDns(name, dnsChallenge.provider ?? '', report);
    checkAuthority(name, acme, report);
  }
}

function checkAuthority(resolver: string, { caServer, caAddress, eab }: AcmeConfig, report: Report): void {
  const path = ['certificatesResolvers', resolver, 'acme'];
  if (!/^https?:$/.test(URL.parse(caServer)?.protocol ?? '')) {
    report(
      'warning',
      'acme-bad-url',
      [...path, 'caServer'],
      `${JSON.stringify(caServer)} is not the URL of an ACME directory`,
      'for step-ca: https://CA:9000/acme/acme/directory',
    );
  }
  if (caAddress !== undefined && parseCaAddress(caAddress) === undefined) {
    report(
      'warning',
      'bad-address',
      [...path, 'caAddress'],
      `${JSON.stringify(caAddress)} is not an address to connect to`,
      'write host or host:port',
    );
  }
  if (eab !== undefined && (!eab.kid || !eab.hmacEncoded)) {
    report('warning', 'missing-key', [...path, 'eab'], '`eab` needs both `kid` and `hmacEncoded`: it is not used');
  }
}

function checkDns(resolver: string, provider: string, report: Report): void {
  if (DNS_PROVIDERS.includes(provider)) return;
  report(
    'warning',
    'acme-dns-provider',
    ['certificatesResolvers', resolver, 'acme', 'dnsChallenge'],
    `there is no DNS provider ${JSON.stringify(provider)}: nothing can be ordered by dns-01`,
    `there are: ${DNS_PROVIDERS.join(', ')}; exec runs a script of yours (EXEC_PATH)`,
  );
}

function checkHttp(
  resolver: string,
  { entryPoint }: NonNullable<AcmeConfig['httpChallenge']>,
  { entryPoints }: StaticConfig,
  report: Report,
): void {
  const path = ['certificatesResolvers', resolver, 'acme', 'httpChallenge'];
  const names = Object.keys(entryPoints);
  if (entryPoint === undefined || entryPoint === '') {
    report('warning', 'missing-key', path, '`httpChallenge` names no entry point', `there are: ${names.join(', ')}`);
    return;
  }
  const at = [...path, 'entryPoint'];
  const found = Object.hasOwn(entryPoints, entryPoint) ? entryPoints[entryPoint] : undefined;
  if (found === undefined) {
    const near = suggest(entryPoint, names);
    report(
      'warning',
      'unknown-entry-point',
      at,
      `there is no entry point \`${entryPoint}\``,
      near === undefined ? `there are: ${names.join(', ')}` : `did you mean \`${near}\`?`,
    );
    return;
  }
  const port = portOf(found.address);
  if (port === undefined || port === HTTP_PORT) return;
  report(
    'warning',
    'acme-http-port',
    at,
    `http-01: the authority asks port ${HTTP_PORT} of each name, and \`${entryPoint}\` listens on ${found.address}`,
    `fine where a gateway passes /.well-known/acme-challenge/ on to ${found.address}; else let an entry point listen on :${HTTP_PORT}`,
  );
}

function checkTls(resolver: string, { entryPoints }: StaticConfig, report: Report): void {
  const addresses = Object.entries(entryPoints).map(([name, { address }]) => ({ name, address }));
  if (addresses.some(({ address }) => portOf(address) === TLS_PORT)) return;
  report(
    'warning',
    'acme-tls-port',
    ['certificatesResolvers', resolver, 'acme', 'tlsChallenge'],
    `tls-alpn-01: the authority connects to port ${TLS_PORT} of each name, and no entry point listens there (${addresses.map(({ name, address }) => `${name} ${address}`).join(', ')})`,
    'fine where TCP of that port is passed on as it is; behind a gateway that ends TLS it cannot work: use httpChallenge',
  );
}

/** Undefined where it cannot be told; a wrong address has its own finding, and port 0 is for tests. */
function portOf(text: string): number | undefined {
  const address = parseAddress(text);
  return typeof address === 'string' || address.protocol !== 'tcp' ? undefined : address.port;
}
