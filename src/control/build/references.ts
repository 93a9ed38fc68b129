import type { Router } from '../../core/config/dynamic.ts';
import type { Path } from '../../core/config/paths.ts';
import type { StaticConfig } from '../../core/config/static.ts';
import type { RouterSnapshot, ServiceSnapshot, TlsOptionsSnapshot } from '../../core/snapshot.ts';
import { DEFAULT_TLS_OPTIONS } from '../../core/tls/host-options.ts';
import type { EntryPoints } from './entry-points.ts';
import type { Findings, Subject } from './findings.ts';
import type { Middlewares } from './middlewares.ts';
import { qualify, spelledAs } from './names.ts';

/** All that routers refer to, checked. */
export interface RouterContext {
  readonly findings: Findings;
  readonly entryPoints: EntryPoints;
  readonly services: Readonly<Record<string, ServiceSnapshot>>;
  readonly middlewares: Middlewares;
  readonly tlsOptions: Readonly<Record<string, TlsOptionsSnapshot>>;
  /** The certificate resolvers of the static configuration. */
  readonly resolvers: StaticConfig['certificatesResolvers'];
}

/** Qualifies the name of a service and reports one that does not exist or cannot be used. */
export function resolveService(
  written: string,
  provider: string,
  subject: Subject,
  { services }: RouterContext,
): string {
  const name = qualify(written, provider);
  const service = services[name];
  if (service === undefined) {
    const hint =
      written === ''
        ? 'write the name of a service'
        : subject.findings.didYouMean(written, () => spelledAs(written, provider, Object.keys(services)));
    subject.error('unknown-service', `the service "${name}" does not exist`, { at: ['service'], value: true, hint });
  } else if (service.status === 'disabled') {
    const message = `the service "${name}" cannot be used: ${service.errors.join('; ')}`;
    subject.error('broken-service', message, { at: ['service'], value: true });
  }
  return name;
}

/** Qualifies a reference and reports one that leads nowhere. */
export function resolveMiddleware(
  written: string,
  provider: string,
  subject: Subject,
  { middlewares }: RouterContext,
  at: Path,
): string {
  const name = qualify(written, provider);
  if (middlewares.use(name) !== undefined) return name;
  const hint = subject.findings.didYouMean(written, () =>
    spelledAs(written, provider, Object.keys(middlewares.snapshots)),
  );
  subject.error('unknown-middleware', `middleware "${name}" does not exist`, { at, value: true, hint });
  return name;
}

/** @returns why the router must refuse its requests, where it must */
export function judgeMiddleware(
  name: string,
  at: Path,
  subject: Subject,
  { middlewares }: RouterContext,
): string | undefined {
  const use = middlewares.use(name);
  switch (use?.kind) {
    case 'broken':
      subject.error('broken-middleware', use.reason, { at, value: true });
      return undefined;
    case 'skipped':
      subject.degrade(use.reason);
      return undefined;
    case 'refused':
      subject.partial('router-refuses', `requests are answered 500: ${use.reason}`, { at, value: true });
      return use.reason;
    default:
      return undefined;
  }
}

export type RouterTlsSnapshot = NonNullable<RouterSnapshot['tls']>;

/** Resolves what a router or an entry point says of TLS. */
export function resolveTls(
  value: NonNullable<Router['tls']>,
  provider: string,
  subject: Subject,
  { tlsOptions, resolvers }: RouterContext,
): RouterTlsSnapshot {
  const { options: written = '', certResolver, domains } = value;
  const options = qualifyOptions(written, provider);
  const found = tlsOptions[options];
  if (found === undefined) {
    const hint = subject.findings.didYouMean(written, () => spelledAs(written, provider, Object.keys(tlsOptions)));
    subject.error('unknown-tls-options', `the TLS options "${options}" do not exist`, {
      at: ['tls', 'options'],
      value: true,
      hint,
    });
  } else if (found.refuse !== undefined && written !== '') {
    subject.partial('broken-tls-options', `handshakes are refused: ${found.refuse}`, {
      at: ['tls', 'options'],
      value: true,
    });
  }
  if (certResolver !== undefined && certResolver !== '') {
    const at = { at: ['tls', 'certResolver'], value: true };
    if (!Object.hasOwn(resolvers, certResolver)) {
      const names = Object.keys(resolvers);
      const hint = subject.findings.didYouMean(certResolver, () => names) ?? 'define it in `certificatesResolvers`';
      subject.warning('unknown-cert-resolver', `there is no certResolver "${certResolver}"`, { ...at, hint });
    }
  }
  return {
    options,
    ...(certResolver === undefined ? {} : { certResolver }),
    ...(domains === undefined ? {} : { domains }),
  };
}

function qualifyOptions(written: string, provider: string): string {
  return written === '' || written === DEFAULT_TLS_OPTIONS ? DEFAULT_TLS_OPTIONS : qualify(written, provider);
}
