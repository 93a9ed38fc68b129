import type { ByModel, LoadBalancer, Server, Service, WeightedService } from '../../core/config/dynamic.ts';
import type { Path } from '../../core/config/paths.ts';
import { slotsPerServer } from '../../core/limits.ts';
import type { ServersTransportSnapshot, ServiceSnapshot } from '../../core/snapshot.ts';
import { checkHealth } from './check-health.ts';
import { checkServerUrl } from './check-server.ts';
import { type Findings, Subject } from './findings.ts';
import { INTERNAL_SERVICES } from './internal.ts';
import type { Entries, Entry } from './merge.ts';
import { DEFAULT_TRANSPORT, INTERNAL, qualify, spelledAs } from './names.ts';

type Transports = Readonly<Record<string, ServersTransportSnapshot>>;

/** Checks every service, and adds the internal ones. */
export function checkServices(
  entries: Entries<Service>,
  transports: Transports,
  findings: Findings,
): Record<string, ServiceSnapshot> {
  const cyclic = servicesInCircles(entries);
  const checked = new Map<string, { readonly subject: Subject; readonly config: Service }>();
  for (const entry of entries.values()) {
    const subject = new Subject(findings, entry.place);
    for (const problem of entry.problems) subject.disable(problem);
    const config = entry.value === undefined ? {} : checkService(entry, entry.value, subject, entries, transports);
    const circle = cyclic.get(entry.name);
    if (circle !== undefined) {
      subject.error('service-cycle', `service contains itself: ${circle}`, { hint: 'remove one of the links' });
    }
    checked.set(entry.name, { subject, config });
  }
  disableUsersOfBroken(checked);
  const snapshots: Record<string, ServiceSnapshot> = {};
  for (const [name, { subject, config }] of checked) {
    snapshots[name] = { kind: 'configured', name, status: subject.status, errors: subject.errors, config };
  }
  for (const name of INTERNAL_SERVICES) {
    snapshots[name] = { kind: INTERNAL, name, status: 'enabled', errors: [], config: {} };
  }
  return snapshots;
}

/** A service is as broken as what it is made of, however far down. */
function disableUsersOfBroken(checked: ReadonlyMap<string, { subject: Subject; config: Service }>): void {
  const users = new Map<string, { readonly name: string; readonly at: Path }[]>();
  for (const [name, { config }] of checked) {
    for (const member of membersOf(config)) {
      const list = users.get(member.name);
      if (list === undefined) users.set(member.name, [{ name, at: member.at }]);
      else list.push({ name, at: member.at });
    }
  }
  const broken = [...checked.keys()].filter((name) => checked.get(name)!.subject.status === 'disabled');
  for (let name = broken.pop(); name !== undefined; name = broken.pop()) {
    for (const user of users.get(name) ?? []) {
      const { subject } = checked.get(user.name)!;
      if (subject.status === 'disabled') continue;
      subject.error('broken-service', `the service "${name}" cannot be used`, { at: user.at, value: true });
      broken.push(user.name);
    }
  }
}

/** Says which services no router and no other service uses. */
export function reportUnused(entries: Entries<Service>, used: ReadonlySet<string>, findings: Findings): void {
  const reached = new Set(used);
  for (const { provider, value } of entries.values()) {
    for (const { name } of membersOf(value)) reached.add(qualify(name, provider));
  }
  for (const entry of entries.values()) {
    if (entry.value === undefined || reached.has(entry.name)) continue;
    findings.add('info', 'unused-service', `no router uses the service "${entry.name}"`, entry.place);
  }
}

function checkService(
  entry: Entry<Service>,
  config: Service,
  subject: Subject,
  entries: Entries<Service>,
  transports: Transports,
): Service {
  if (config.loadBalancer !== undefined) {
    return { loadBalancer: checkLoadBalancer(entry, config.loadBalancer, subject, transports) };
  }
  for (const { name, at } of membersOf(config)) {
    const qualified = qualify(name, entry.provider);
    if (entries.has(qualified) || INTERNAL_SERVICES.has(qualified)) continue;
    const hint = subject.findings.didYouMean(name, () => spelledAs(name, entry.provider, entries.keys()));
    subject.error('unknown-service', `the service "${qualified}" does not exist`, { at, value: true, hint });
  }
  return checkKind(config, entry.provider, subject);
}

/** Checks the values of a service of services, and qualifies the names in it. */
function checkKind(config: Service, provider: string, subject: Subject): Service {
  const { weighted, highestRandomWeight, mirroring, failover, byModel } = config;
  if (byModel !== undefined) return { byModel: checkByModel(byModel, provider, subject) };
  if (weighted !== undefined) {
    const services = checkMembers('weighted', weighted.services, provider, subject);
    return { weighted: { ...weighted, services } };
  }
  if (highestRandomWeight !== undefined) {
    const services = checkMembers('highestRandomWeight', highestRandomWeight.services, provider, subject);
    return { highestRandomWeight: { ...highestRandomWeight, services } };
  }
  if (mirroring !== undefined) {
    mirroring.mirrors.forEach(({ percent }, i) => {
      if (percent >= 0 && percent <= 100) return;
      const at: Path = ['mirroring', 'mirrors', i, 'percent'];
      subject.error('bad-value', `${percent} is no percentage`, { at, value: true, hint: 'write 0 to 100' });
    });
    const mirrors = mirroring.mirrors.map((mirror) => ({ ...mirror, name: qualify(mirror.name, provider) }));
    return { mirroring: { ...mirroring, service: qualify(mirroring.service, provider), mirrors } };
  }
  if (failover !== undefined) {
    const { service, fallback } = failover;
    return {
      failover: { ...failover, service: qualify(service, provider), fallback: qualify(fallback, provider) },
    };
  }
  return config;
}

function checkByModel(byModel: ByModel, provider: string, subject: Subject): ByModel {
  if (Object.keys(byModel.models).length === 0) {
    subject.warning('no-servers', 'no model is named', { at: ['byModel'], hint: 'add `models: {granite-3b: app}`' });
  }
  const models = Object.fromEntries(
    Object.entries(byModel.models).map(([model, service]) => [model, qualify(service, provider)]),
  );
  return {
    ...byModel,
    models,
    ...(byModel.default === undefined ? {} : { default: qualify(byModel.default, provider) }),
  };
}

function checkMembers(
  kind: 'weighted' | 'highestRandomWeight',
  services: readonly WeightedService[],
  provider: string,
  subject: Subject,
): WeightedService[] {
  if (services.length === 0) {
    subject.warning('no-servers', 'the service has no services: every request is answered 503', {
      at: [kind],
      hint: 'add `services: [{name: app}]`',
    });
  } else if (services.every((service) => service.weight === 0)) {
    subject.warning('no-servers', 'all services have weight 0: every request is answered 503', {
      at: [kind, 'services'],
    });
  }
  services.forEach(({ name, weight }, i) => {
    if (weight >= 0) return;
    const at: Path = [kind, 'services', i, 'weight'];
    subject.error('bad-weight', `the weight of ${name} is negative`, { at, value: true, hint: 'write 0 or more' });
  });
  return services.map((service) => ({ ...service, name: qualify(service.name, provider) }));
}

function checkLoadBalancer(
  entry: Entry<Service>,
  config: LoadBalancer,
  subject: Subject,
  transports: Transports,
): LoadBalancer {
  const servers = checkServers(config.servers, subject);
  const { serversTransport, ...rest } = checkHealth(config, subject);
  if (config.queue !== undefined && slotsPerServer(config) === 0) {
    subject.warning('queue-without-limit', 'nobody waits in this queue: the servers have no limit', {
      at: ['loadBalancer', 'queue'],
      hint: 'add `maxInFlight: 4` for example',
    });
  }
  if (serversTransport === undefined || serversTransport === '') {
    requireTransport(DEFAULT_TRANSPORT, undefined, entry, subject, transports);
    return { ...rest, servers };
  }
  const transport = qualify(serversTransport, entry.provider);
  requireTransport(transport, serversTransport, entry, subject, transports);
  return { ...rest, servers, serversTransport: transport };
}

/** Leaves out the servers that cannot be used; the rest is served. */
function checkServers(servers: readonly Server[], subject: Subject): readonly Server[] {
  const base: Path = ['loadBalancer', 'servers'];
  if (servers.length === 0) {
    subject.warning('no-servers', 'the service has no servers: every request is answered 503', {
      at: ['loadBalancer'],
      hint: 'add `servers: [{url: "http://10.0.0.141:8000"}]`',
    });
    return servers;
  }
  const usable = servers.filter((server, index) => {
    const checked = checkServerUrl(server.url);
    if (!checked.ok) {
      subject.partial(checked.code, checked.message, { at: [...base, index, 'url'], value: true, hint: checked.hint });
      return false;
    }
    if (checked.warning !== undefined) {
      subject.warning('url-credentials', checked.warning, { at: [...base, index, 'url'], value: true });
    }
    if (server.weight >= 0) return true;
    const message = `the weight of ${server.url} is negative; the server is left out`;
    subject.partial('bad-weight', message, { at: [...base, index, 'weight'], value: true });
    return false;
  });
  if (usable.length === 0) subject.disable('none of the servers can be used');
  else if (usable.every((server) => server.weight === 0)) {
    subject.warning('no-servers', 'all servers have weight 0: every request is answered 503', { at: base });
  }
  return usable;
}

function requireTransport(
  name: string,
  written: string | undefined,
  entry: Entry<Service>,
  subject: Subject,
  transports: Transports,
): void {
  const at = { at: written === undefined ? ['loadBalancer'] : ['loadBalancer', 'serversTransport'], value: true };
  const transport = transports[name];
  if (transport === undefined) {
    const candidates = () => spelledAs(written ?? name, entry.provider, Object.keys(transports));
    const hint = written === undefined ? undefined : subject.findings.didYouMean(written, candidates);
    subject.error('unknown-servers-transport', `the serversTransport "${name}" does not exist`, { ...at, hint });
  } else if (transport.status === 'disabled') {
    const message = `the serversTransport "${name}" cannot be used: ${transport.errors.join('; ')}`;
    // The default transport concerns plain upstreams as little as those of a file do, but those are named on purpose.
    if (written === undefined && !usesTls(entry.value)) return;
    subject.error('broken-servers-transport', message, at);
  }
}

function usesTls(service: Service | undefined): boolean {
  return service?.loadBalancer?.servers.some((server) => /^https:/i.test(server.url)) === true;
}

interface Member {
  readonly name: string;
  readonly at: Path;
}

/** The services that a service is made of. */
function membersOf(config: Service | undefined): readonly Member[] {
  if (config === undefined || config.loadBalancer !== undefined) return [];
  const { weighted, highestRandomWeight, mirroring, failover, byModel } = config;
  const members: Member[] = [];
  weighted?.services.forEach(({ name }, i) => {
    members.push({ name, at: ['weighted', 'services', i, 'name'] });
  });
  highestRandomWeight?.services.forEach(({ name }, i) => {
    members.push({ name, at: ['highestRandomWeight', 'services', i, 'name'] });
  });
  if (mirroring !== undefined) {
    members.push({ name: mirroring.service, at: ['mirroring', 'service'] });
    mirroring.mirrors.forEach(({ name }, i) => {
      members.push({ name, at: ['mirroring', 'mirrors', i, 'name'] });
    });
  }
  for (const [model, name] of Object.entries(byModel?.models ?? {})) {
    members.push({ name, at: ['byModel', 'models', model] });
  }
  if (byModel?.default !== undefined) members.push({ name: byModel.default, at: ['byModel', 'default'] });
  if (failover !== undefined) {
    members.push({ name: failover.service, at: ['failover', 'service'] });
    members.push({ name: failover.fallback, at: ['failover', 'fallback'] });
  }
  return members;
}

/** Services that lead back to themselves, each with the way; depth first without recursion, as the way may be long. */
function servicesInCircles(entries: Entries<Service>): ReadonlyMap<string, string> {
  const circles = new Map<string, string>();
  const done = new Set<string>();
  const below = (name: string): Iterator<string> => {
    const entry = entries.get(name);
    return membersOf(entry?.value)
      .map((member) => qualify(member.name, entry?.provider ?? INTERNAL))
      .values();
  };
  for (const [start, entry] of entries) {
    if (done.has(start) || entry.value?.loadBalancer !== undefined) continue;
    const way = [start];
    const onWay = new Set(way);
    const iterators = [below(start)];
    while (iterators.length > 0) {
      const next = iterators.at(-1)!.next();
      if (next.done === true) {
        iterators.pop();
        const left = way.pop()!;
        onWay.delete(left);
        done.add(left);
      } else if (onWay.has(next.value)) {
        const circle = way.slice(way.indexOf(next.value));
        for (const name of circle) circles.set(name, [...circle, next.value].join(' -> '));
      } else if (!done.has(next.value)) {
        way.push(next.value);
        onWay.add(next.value);
        iterators.push(below(next.value));
      }
    }
  }
  return circles;
}
