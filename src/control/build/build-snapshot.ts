import type { Router, ServersTransport } from '../../core/config/dynamic.ts';
import type { Path } from '../../core/config/paths.ts';
import type { StaticConfig } from '../../core/config/static.ts';
import type { Position } from '../../core/diagnostic.ts';
import { parseRule } from '../../core/rule/parser.ts';
import type { CertificateSnapshot, Outcome, RouterSnapshot, Snapshot } from '../../core/snapshot.ts';
import type { WantedCertificate } from '../acme/types.ts';
import { readEntryPoints, type StaticPlace } from './entry-points.ts';
import { Findings, Subject } from './findings.ts';
import { deepFreeze } from './freeze.ts';
import { implicitRouters } from './internal.ts';
import { type Entries, type Entry, type Merged, merge, type Source } from './merge.ts';
import { checkMiddlewares, reportUnusedMiddlewares } from './middlewares.ts';
import { EntryPointModels } from './models.ts';
import { Reader } from './reader.ts';
import type { RouterContext } from './references.ts';
import { checkRouter, reportRule } from './routers.ts';
import { checkServices, reportUnused } from './services.ts';
import { type RankedRouter, reportShadowed } from './shadows.ts';
import { buildTls, type IssuedCertificate } from './tls.ts';
import { reportTlsConflicts, type ServedRouter } from './tls-conflicts.ts';
import { checkTransports, defaultTransport } from './transports.ts';
import { CertificateWishes } from './wanted-certificates.ts';

export interface BuildInput {
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly static: StaticConfig;
  /** Where a path of the static configuration stands, where it stands in a file. */
  readonly locateStatic?: (path: Path, at?: 'key' | 'value') => Position | undefined;
  /** The last good content of each file; their order does not matter. */
  readonly sources: readonly Source[];
  /** The content of a file that the configuration names (certificate, key, CA, users), from the caller's cache. */
  readonly read: (path: string) => string | Error;
  /** Served where no certificate covers a name and the configuration names no default one. */
  readonly defaultCertificate: CertificateSnapshot;
  /** 48 bytes as base64. */
  readonly ticketKeys: string;
  /** Path of the primary's unix socket. */
  readonly internalSocket: string;
  /** What resolvers have issued so far. */
  readonly issued?: readonly IssuedCertificate[];
  /** What is served now, for what can only be kept. */
  readonly live?: Snapshot;
}

export interface BuildOutcome extends Outcome {
  /** Every path that `read` was asked for, sorted: a change of any of them calls for another build. */
  readonly referencedFiles: readonly string[];
  /** What is to be ordered from resolvers. */
  readonly wanted: readonly WantedCertificate[];
}

/**
 * Makes the snapshot of all that providers say: merge, check, resolve. A function of its input alone, the same for the
 * same input. It always succeeds: what cannot be served is disabled and has a diagnostic. The diagnostics are those of
 * this step; the decoders' own are with whoever decoded.
 */
export function buildSnapshot(input: BuildInput): BuildOutcome {
  const findings = new Findings();
  const reader = new Reader(input.read);
  const placeOf = staticPlaces(input);
  const merged = merge(input.sources, findings);
  const entryPoints = readEntryPoints(input.static, placeOf, findings);
  const implicit = implicitRouters(input.static, entryPoints, placeOf, findings);

  const transports = checkTransports(withDefaultTransport(merged, input, placeOf), reader, input.now, findings);
  const services = checkServices(merged.services, transports, findings);
  const middlewares = checkMiddlewares(together(merged.middlewares, implicit.middlewares), reader, findings);
  const wishes = new CertificateWishes(input.static.certificatesResolvers, findings);
  const { tls, files } = buildTls({
    merged,
    wishes,
    issued: input.issued ?? [],
    reader,
    findings,
    now: input.now,
    generated: input.defaultCertificate,
    ticketKeys: input.ticketKeys,
    ...(input.live === undefined ? {} : { live: input.live.tls }),
  });
  const resolvers = input.static.certificatesResolvers;
  const context = { findings, entryPoints, services, middlewares, tlsOptions: tls.options, resolvers };
  const { routers, used } = buildRouters(together(merged.routers, implicit.routers), context, wishes);
  reportUnused(merged.services, used.services, findings);
  reportUnusedMiddlewares(merged.middlewares, used.middlewares, entryPoints, findings);
  reportStreams(merged, findings);

  const snapshot: Snapshot = {
    version: input.version,
    createdAt: input.now,
    entryPoints: entryPoints.snapshots,
    http: { routers, services, middlewares: middlewares.snapshots, serversTransports: transports },
    tls,
    internalSocket: input.internalSocket,
  };
  return {
    snapshot: deepFreeze(snapshot),
    wanted: wishes.wanted(files, input.now),
    diagnostics: Object.freeze(findings.diagnostics),
    referencedFiles: Object.freeze(reader.files),
  };
}

function buildRouters(entries: Entries<Router>, context: RouterContext, wishes: CertificateWishes) {
  const models = new EntryPointModels(context);
  const routers: Record<string, RouterSnapshot> = {};
  const served: ServedRouter[] = [];
  const ranked: RankedRouter[] = [];
  const used = { services: new Set<string>(), middlewares: new Set<string>() };
  for (const entry of entries.values()) {
    const checked = checkRouter(entry, context);
    used.services.add(checked.snapshot.service);
    const expanded = [...models.expand(checked, entries)];
    for (const router of expanded) {
      routers[router.name] = router;
      for (const name of router.middlewares) used.middlewares.add(name);
      served.push({ router, hosts: checked.hosts, place: entry.place });
      wishes.addRouter({
        router,
        provider: entry.provider,
        own: entry.value?.tls,
        ast: checked.rule,
        place: entry.place,
        entryPointPlace: models.placeOf(router),
      });
    }
    ranked.push({ name: entry.name, place: entry.place, rule: checked.rule, expanded });
  }
  reportTlsConflicts(served, context.findings);
  reportShadowed(ranked, context.findings);
  return { routers, used };
}

function staticPlaces({ locateStatic }: BuildInput): StaticPlace {
  if (locateStatic === undefined) return (path) => ({ path });
  return (path) => ({ path, locate: locateStatic });
}

/** The files' objects and the built-in ones, which no file can name: their provider is another. */
function together<T>(entries: Entries<T>, builtIn: readonly Entry<T>[]): Entries<T> {
  const all = new Map(entries);
  for (const entry of builtIn) all.set(entry.name, entry);
  return all;
}

function withDefaultTransport(merged: Merged, input: BuildInput, placeOf: StaticPlace): Entries<ServersTransport> {
  const place = placeOf(['serversTransport']);
  return together(merged.serversTransports, [defaultTransport(input.static.serversTransport, place)]);
}

/** TCP and UDP are read and not served. */
function reportStreams({ streams }: Merged, findings: Findings): void {
  for (const { place, what, rule } of streams) {
    const subject = new Subject(findings, place);
    if (rule !== undefined) reportRule(parseRule(rule, 'tcp'), rule, subject);
    subject.warning('not-served-yet', `${what} is accepted but not served yet: this version serves HTTP`);
  }
}
