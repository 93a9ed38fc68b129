import type { HttpPattern, Pattern } from './load/load.ts';
import type { Feature } from './peers/peer.ts';
import { PATHS, type UpstreamKind } from './upstream/upstream.ts';

interface Common {
  readonly name: string;
  /** One line for the report. */
  readonly title: string;
  readonly tls: boolean;
  readonly path: string;
  readonly upstream: UpstreamKind;
  /** What peers must have to be measured here. */
  readonly needs: readonly Feature[];
  readonly workers: number;
  /** Whether the proxy may use two processors: with more than one worker, and in what that is compared to. */
  readonly wide: boolean;
  readonly routers: number;
  readonly accessLog: boolean;
  /** Run when no scenario is named. */
  readonly byDefault: boolean;
  /** What this scenario does not tell, shown beside its figures. */
  readonly notMeasured: string;
}

/** Peers in rotating rounds; CPU time of the proxy for each request. */
export interface CpuScenario extends Common {
  readonly kind: 'cpu';
  readonly pattern: Pattern;
  /** What is counted: `request`, `message`, `event`, `MiB`. */
  readonly unit: string;
  /** Milliseconds between changes of the configuration under load; 0 = none. */
  readonly reloadEveryMs: number;
  /** Load generator that is used where it can; null = the cheapest. */
  readonly generator: string | null;
  /** Measured without a proxy too, so that added latency can be told. */
  readonly direct: boolean;
}

/** Latency at shares of each peer's own capacity. */
export interface RateScenario extends Common {
  readonly kind: 'rate';
  /** How capacity is found. */
  readonly pattern: HttpPattern;
  readonly shares: readonly number[];
}

/** Resident memory after few and after many requests. */
export interface MemoryScenario extends Common {
  readonly kind: 'memory';
  readonly pattern: HttpPattern;
  readonly few: number;
  readonly many: number;
  /** Measured unless --peer says otherwise. */
  readonly peers: readonly string[];
}

/** Resident memory of connections that do nothing. */
export interface IdleScenario extends Common {
  readonly kind: 'idle';
  readonly connections: number;
}

export type Scenario = CpuScenario | RateScenario | MemoryScenario | IdleScenario;

const common = {
  tls: false,
  path: PATHS.small,
  upstream: 'files',
  needs: [],
  workers: 1,
  wide: false,
  routers: 0,
  accessLog: false,
  byDefault: true,
  notMeasured: '',
} as const satisfies Partial<Common>;

const cpu = {
  ...common,
  kind: 'cpu',
  unit: 'request',
  reloadEveryMs: 0,
  generator: null,
  direct: false,
} as const satisfies Partial<CpuScenario>;

const get: HttpPattern = {
  kind: 'http',
  connection: 'keep-alive',
  httpVersion: '1.1',
  connections: 64,
  upload: 0,
  resume: false,
  countMebibytes: false,
  hosts: 0,
};
const newConnection: HttpPattern = { ...get, connection: 'per-request', connections: 16 };

const QUEUE =
  'Latencies are those of a proxy at full load with a fixed number of connections: a queue, with coordinated omission.';
const CLIENT_BOUND = 'Requests a second: the client needs more of its processor than the proxy does, and is the limit.';

function manyRouters(routers: number): CpuScenario {
  return {
    ...cpu,
    name: `routers-${routers}`,
    title: `small GET to each of ${routers} hosts with a router of its own, 64 connections`,
    routers,
    needs: ['routers'],
    pattern: { ...get, hosts: routers },
    byDefault: routers === 1_000,
    notMeasured: 'Rules other than Host; start and reload with so many (npm run bench:router has the compile time).',
  };
}

/** Each body both plain and over TLS. */
function bodies(tls: boolean): CpuScenario[] {
  const prefix = tls ? 'tls-' : '';
  const over = tls ? ' over TLS' : '';
  return [
    {
      ...cpu,
      name: `${prefix}body-1m`,
      title: `1 MiB down${over}, 16 connections kept alive`,
      tls,
      path: PATHS.large,
      pattern: { ...get, connections: 16 },
      notMeasured: QUEUE,
    },
    {
      ...cpu,
      name: `${prefix}body-100m`,
      title: `100 MiB down${over}, 4 connections kept alive, per MiB`,
      tls,
      path: PATHS.huge,
      pattern: { ...get, connections: 4, countMebibytes: true },
      unit: 'MiB',
      byDefault: false,
      notMeasured: 'Latency: few answers are complete within a round.',
    },
    {
      ...cpu,
      name: `${prefix}upload-10m`,
      title: `10 MiB up${over}, 4 connections kept alive`,
      tls,
      path: PATHS.upload,
      upstream: 'streams',
      pattern: { ...get, connections: 4, upload: 10_485_760 },
      byDefault: !tls,
      notMeasured: QUEUE,
    },
  ];
}

export const SCENARIOS: readonly Scenario[] = [
  {
    ...cpu,
    name: 'keepalive',
    title: 'small GET, 64 connections kept alive',
    pattern: get,
    notMeasured: QUEUE,
  },
  {
    ...cpu,
    name: 'keepalive-autocannon',
    title: 'the same by autocannon: the cross-check of wrk',
    pattern: get,
    generator: 'autocannon',
    byDefault: false,
    notMeasured: `${CLIENT_BOUND} Ratios to the splice are to be compared with those of keepalive.`,
  },
  {
    ...cpu,
    name: 'tls-keepalive',
    title: 'small GET over TLS, 64 connections kept alive',
    tls: true,
    pattern: get,
    notMeasured: `${QUEUE} The 64 handshakes are inside each round.`,
  },
  {
    ...cpu,
    name: 'connect-plain',
    title: 'HTTP/1.0, a new connection for each small GET, 32 at once',
    pattern: { ...newConnection, httpVersion: '1.0', connections: 32 },
    notMeasured: QUEUE,
  },
  {
    ...cpu,
    name: 'connect-tls',
    title: 'a new TLS 1.3 connection (full handshake, P-256, X25519) for each small GET, 16 at once',
    tls: true,
    pattern: newConnection,
    notMeasured: CLIENT_BOUND,
  },
  {
    ...cpu,
    name: 'connect-tls-resumed',
    title: 'a new TLS 1.3 connection resumed by ticket for each small GET, 16 at once',
    tls: true,
    pattern: { ...newConnection, resume: true },
    notMeasured: CLIENT_BOUND,
  },
  ...bodies(false),
  ...bodies(true),
  manyRouters(1_000),
  manyRouters(10_000),
  {
    ...cpu,
    name: 'websocket',
    title: 'WebSocket messages of 125 bytes there and back, 64 connections',
    path: PATHS.websocket,
    upstream: 'streams',
    needs: ['websocket'],
    pattern: { kind: 'websocket', connections: 64, bytes: 125 },
    unit: 'message',
    notMeasured: `The handshake. ${CLIENT_BOUND}`,
  },
  {
    ...cpu,
    name: 'events',
    title: 'server-sent events: 100 streams of 50 tokens a second; latency from write to arrival',
    path: PATHS.events,
    upstream: 'streams',
    pattern: { kind: 'events', streams: 100, eventsPerSecond: 50 },
    unit: 'event',
    direct: true,
    notMeasured: 'Full load: a mostly idle proxy pays more for each event, as it wakes up for it. Events/s is given.',
  },
  {
    ...common,
    kind: 'rate',
    name: 'rate',
    title: 'latency of small GETs sent at a fixed rate, whether earlier ones were answered or not',
    pattern: get,
    shares: [0.25, 0.5, 0.75],
    byDefault: false,
    notMeasured:
      'Equal rates: each peer gets shares of its own capacity, which is the rate given. Times below 1 ms are also those ' +
      'of the load and the upstream that share a processor: see the row without a proxy.',
  },
  ...([false, true] as const).map(
    (tls): IdleScenario => ({
      ...common,
      kind: 'idle',
      name: tls ? 'tls-idle' : 'idle',
      title: `resident memory of 9,800 idle connections${tls ? ' over TLS' : ''}, one request made on each`,
      tls,
      needs: ['idle'],
      // HAProxy wants two descriptors for each, and 20,000 is all that a process gets on many machines.
      connections: 9_800,
      byDefault: false,
      notMeasured: 'Memory of the kernel for sockets; memory that was free within the process before they came.',
    }),
  ),
  {
    ...cpu,
    name: 'reload',
    title: 'small GET, 64 connections, the configuration changed four times a second',
    needs: ['reload'],
    reloadEveryMs: 250,
    pattern: get,
    byDefault: false,
    notMeasured: 'The splice has nothing to reload: it is the floor of the same load. Reload of many routers.',
  },
  {
    ...cpu,
    name: 'access-log',
    title: 'small GET, 64 connections, a line in the access log for each: to be compared with keepalive',
    needs: ['access-log'],
    accessLog: true,
    pattern: get,
    notMeasured: 'Equal lines: nginx writes the combined format, HAProxy httplog, the others JSON; the splice none.',
  },
  ...[1, 2].map(
    (workers): CpuScenario => ({
      ...cpu,
      name: `workers-${workers}`,
      title: `small GET, 64 connections, ${workers} worker${workers === 1 ? '' : 's'} on two processors`,
      needs: ['workers'],
      workers,
      wide: true,
      pattern: get,
      byDefault: false,
      notMeasured:
        'Scaling, where there are only two processors: upstream and load need one of them too, so requests a second say ' +
        'nothing; CPU time a request shows what a second worker costs.',
    }),
  ),
  {
    ...common,
    kind: 'memory',
    name: 'memory',
    title: 'resident memory after 1,000,000 requests against after 10,000',
    pattern: get,
    few: 10_000,
    many: 1_000_000,
    peers: ['phoenix'],
  },
];

/** Finds scenarios by name; `all` is every one. Throws an Error that lists the known names. */
export function findScenarios(names: readonly string[]): readonly Scenario[] {
  if (names.includes('all')) return SCENARIOS;
  return names.map((name) => {
    const found = SCENARIOS.find((scenario) => scenario.name === name);
    if (found === undefined)
      throw new Error(`unknown scenario ${name}: expected all, ${SCENARIOS.map((s) => s.name).join(', ')}`);
    return found;
  });
}
