import type { RouterSnapshot } from '../../core/snapshot.ts';
import { DEFAULT_TLS_OPTIONS, HostOptions, type TlsBinding } from '../../core/tls/host-options.ts';
import type { Findings, Place } from './findings.ts';

/** A router that is served, with the hosts of its rule. */
export interface ServedRouter {
  readonly router: RouterSnapshot;
  readonly hosts: readonly string[];
  readonly place: Place;
}

/** Says where two routers of one entry point want different TLS options for one host: neither gets them, as in Traefik. */
export function reportTlsConflicts(served: readonly ServedRouter[], findings: Findings): void {
  const withTls = served.filter(({ router }) => router.tls !== undefined && router.status !== 'disabled');
  if (withTls.every(({ router }) => router.tls?.options === DEFAULT_TLS_OPTIONS)) return;
  for (const entryPoint of new Set(withTls.flatMap(({ router }) => router.entryPoints))) {
    const here = withTls.filter(({ router }) => router.entryPoints.includes(entryPoint));
    const bindings = here.flatMap(({ router, hosts }) =>
      hosts.map((host): TlsBinding => ({ host, options: router.tls?.options ?? DEFAULT_TLS_OPTIONS })),
    );
    const { conflicts } = new HostOptions(bindings);
    if (conflicts.length === 0) continue;
    const wanted = new Map<string, ServedRouter[]>(conflicts.map(({ host }) => [host, []]));
    for (const one of here) for (const host of one.hosts) wanted.get(host)?.push(one);
    for (const { host, options } of conflicts) {
      const routers = wanted.get(host) ?? [];
      const names = routers.map(({ router }) => router.name).sort();
      const last = routers.at(-1);
      if (last === undefined) continue;
      findings.add(
        'warning',
        'tls-options-conflict',
        `entry point "${entryPoint}": ${names.join(', ')} want different TLS options (${options.join(', ')}) for ${host}; the default ones are used`,
        last.place,
        { at: ['tls'], hint: 'give all routers of a host the same `tls.options`' },
      );
    }
  }
}
