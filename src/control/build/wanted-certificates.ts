import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type { Router } from '../../core/config/dynamic.ts';
import type { Path } from '../../core/config/paths.ts';
import type { AcmeConfig, StaticConfig } from '../../core/config/static.ts';
import { hostPatternsOfRule, hostsOfRule, type RuleNode } from '../../core/rule/ast.ts';
import type { CertificateSnapshot, RouterSnapshot } from '../../core/snapshot.ts';
import type { WantedCertificate } from '../acme/types.ts';
import { canonicalAddress } from '../tls/certificate-names.ts';
import type { Findings, Place } from './findings.ts';
import { INTERNAL } from './names.ts';

/** Someone who asks. */
interface Wish {
  readonly resolver: string;
  /** In the order written, each once. */
  readonly names: readonly string[];
  readonly by: string[];
  readonly place: Place;
  readonly at: Path;
}

/** A router as it is served on one entry point. */
export interface RouterWish {
  readonly router: RouterSnapshot;
  readonly provider: string;
  /** What the router itself says of TLS; undefined where its entry point says it. */
  readonly own: Router['tls'];
  readonly ast: RuleNode | undefined;
  readonly place: Place;
  /** Of the entry point's `http` section, where that is what asks. */
  readonly entryPointPlace?: Place | undefined;
}

/** Collects which certificates are to be ordered, and says where none can be. */
export class CertificateWishes {
  readonly #findings: Findings;
  readonly #resolvers: StaticConfig['certificatesResolvers'];
  /** By their names, sorted. */
  readonly #wishes = new Map<string, Wish>();
  readonly #said = new Set<string>();

  constructor(resolvers: StaticConfig['certificatesResolvers'], findings: Findings) {
    this.#resolvers = resolvers;
    this.#findings = findings;
  }

  /** The names of `tls.domains`, one certificate for each entry; else one for all hosts of the rule. As Traefik does. */
  addRouter({ router, provider, own, ast, place, entryPointPlace }: RouterWish): void {
    const { tls } = router;
    if (router.status === 'disabled' || tls?.certResolver === undefined) return;
    const acme = this.#resolvers[tls.certResolver]?.acme;
    // The router has its diagnostic already.
    if (acme === undefined) return;
    const resolver = tls.certResolver;
    const says = own === undefined && entryPointPlace !== undefined ? entryPointPlace : place;
    if (tls.domains !== undefined && tls.domains.length > 0) {
      for (const [index, { main, sans = [] }] of tls.domains.entries()) {
        const names = main === undefined || main === '' ? sans : [main, ...sans];
        this.#add(resolver, acme, names, router.name, says, ['tls', 'domains', index]);
      }
      return;
    }
    // Redirections, ping and the like answer for any name; an operator has not asked for certificates for them.
    if (provider === INTERNAL || ast === undefined) return;
    const hosts = hostsOfRule(ast);
    const patterns = hostPatternsOfRule(ast);
    if (hosts.length === 0) {
      const why =
        patterns.length > 0 ? 'a regular expression does not say which hosts there are' : 'the rule names no host';
      const message = `nothing can be ordered from certResolver "${resolver}" for router "${router.name}": ${why}`;
      this.#say('warning', 'acme-no-domain', message, place, ['rule'], 'name the hosts in `tls.domains`');
      return;
    }
    if (patterns.length > 0) {
      const message = `router "${router.name}": no certificate is ordered for what HostRegexp(\`${patterns[0]}\`) matches`;
      this.#say('info', 'acme-no-domain', message, place, ['rule'], 'name the hosts in `tls.domains`');
    }
    this.#add(resolver, acme, hosts, router.name, place, ['rule']);
  }

  /** `tls.stores.default.defaultGeneratedCert`. @returns the names, where it can be ordered */
  addDefault(resolver: string, main: string, sans: readonly string[], place: Place): readonly string[] | undefined {
    const acme = this.#resolvers[resolver]?.acme;
    const at: Path = ['defaultGeneratedCert'];
    if (acme !== undefined) return this.#add(resolver, acme, [main, ...sans], 'tls.stores.default', place, at);
    const known = Object.keys(this.#resolvers);
    this.#findings.add('warning', 'unknown-cert-resolver', `there is no certResolver "${resolver}"`, place, {
      at: [...at, 'resolver'],
      value: true,
      hint: this.#findings.didYouMean(resolver, () => known) ?? 'define it in `certificatesResolvers`',
    });
    return undefined;
  }

  /**
   * What is left to order, largest sets first: a set whose every name is covered by certificates from files, or by larger
   * sets, is not ordered, as in Traefik.
   *
   * @param files certificates that need no resolver
   * @param now milliseconds since the epoch; an expired certificate covers nothing
   */
  wanted(files: readonly CertificateSnapshot[], now: number): readonly WantedCertificate[] {
    const covering = new Map<string, string>();
    for (const { names, notAfter, origin } of files) {
      if (notAfter > now) for (const name of names) covering.set(name, `the certificate ${origin}`);
    }
    const wanted: WantedCertificate[] = [];
    for (const wish of [...this.#wishes.values()].sort(widestFirst)) {
      const [main = '', ...sans] = wish.names;
      const covered = coveredBy(wish.names, covering);
      if (covered !== undefined) {
        const message = `no certificate is ordered for ${wish.names.join(', ')}: ${covered} covers ${sans.length > 0 ? 'these names' : 'it'}`;
        this.#findings.add('info', 'acme-covered', message, wish.place, { at: wish.at });
        continue;
      }
      for (const name of wish.names) covering.set(name, `what is ordered for ${wish.by[0]}`);
      wanted.push({ resolver: wish.resolver, main, sans, for: wish.by.sort() });
    }
    return wanted;
  }

  #add(
    resolver: string,
    acme: AcmeConfig,
    written: readonly string[],
    by: string,
    place: Place,
    at: Path,
  ): readonly string[] | undefined {
    const names = new Set<string>();
    for (const text of written) {
      const name = certificateName(text);
      if (name === undefined) {
        const hint = 'write a host name, `*.` and a host name, or an IP address';
        this.#say('warning', 'acme-bad-domain', `no certificate can be ordered for "${text}"`, place, at, hint);
      } else if (name.startsWith('*.') && acme.dnsChallenge === undefined) {
        const message = `no certificate is ordered for "${name}": authorities give wildcards by dnsChallenge alone, and certResolver "${resolver}" has none`;
        this.#say(
          'warning',
          'acme-wildcard',
          message,
          place,
          at,
          'name each host, or give the resolver a dnsChallenge',
        );
      } else names.add(name);
    }
    if (names.size === 0) return undefined;
    const key = [...names].sort().join(' ');
    const known = this.#wishes.get(key);
    if (known === undefined) this.#wishes.set(key, { resolver, names: [...names], by: [by], place, at });
    else {
      if (!known.by.includes(by)) known.by.push(by);
      if (known.resolver !== resolver) {
        const message = `${[...names].join(', ')}: ${known.by[0]} orders the certificate from "${known.resolver}" already; "${resolver}" is not asked`;
        this.#say(
          'warning',
          'acme-two-resolvers',
          message,
          place,
          at,
          'give all routers of a host the same certResolver',
        );
      }
    }
    return known?.resolver === undefined || known.resolver === resolver ? [...names] : undefined;
  }

  /** A router of several entry points, and an entry point of many routers, say a thing once. */
  #say(severity: 'info' | 'warning', code: string, message: string, place: Place, at: Path, hint: string): void {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    this.#findings.add(severity, code, message, place, { at, hint });
  }
}

/** Wildcards before what they cover, then the larger set, then by name so that the order of files does not matter. */
function widestFirst(a: Wish, b: Wish): number {
  return (
    Number(hasWildcard(b)) - Number(hasWildcard(a)) ||
    b.names.length - a.names.length ||
    (a.names[0]! < b.names[0]! ? -1 : 1)
  );
}

function hasWildcard({ names }: Wish): boolean {
  return names.some((name) => name.startsWith('*.'));
}

/** Who covers the first of the names, where all are covered. A wildcard stands for one label (RFC 9525 section 6.3). */
function coveredBy(names: readonly string[], covering: ReadonlyMap<string, string>): string | undefined {
  let first: string | undefined;
  for (const name of names) {
    const dot = name.indexOf('.');
    const by = covering.get(name) ?? (dot > 0 && isIP(name) === 0 ? covering.get(`*${name.slice(dot)}`) : undefined);
    if (by === undefined) return undefined;
    first ??= by;
  }
  return first;
}

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** A name as certificates have it: lower case, without a trailing dot, IDNA. Undefined: it is none. */
function certificateName(written: string): string | undefined {
  const text = written.trim().replace(/\.$/, '');
  const address = canonicalAddress(text.replace(/^\[(.*)\]$/, '$1'));
  if (address !== null) return address;
  const wildcard = text.startsWith('*.');
  const host = domainToASCII(wildcard ? text.slice(2) : text).toLowerCase();
  if (host === '' || host.length > 253 || !host.split('.').every((label) => LABEL.test(label))) return undefined;
  return wildcard ? `*.${host}` : host;
}
