import type { Pattern } from './load/load.ts';
import { PATHS } from './upstream/upstream.ts';

interface Common {
  readonly name: string;
  /** One line for the report. */
  readonly title: string;
  readonly tls: boolean;
  readonly path: string;
  readonly pattern: Pattern;
}

/** Peers in rotating rounds; CPU time of the proxy for each request. */
export interface CpuScenario extends Common {
  readonly kind: 'cpu';
}

/** Resident memory after few and after many requests. */
export interface MemoryScenario extends Common {
  readonly kind: 'memory';
  readonly few: number;
  readonly many: number;
  /** Measured unless --peer says otherwise. */
  readonly peers: readonly string[];
}

export type Scenario = CpuScenario | MemoryScenario;

const keepAlive = (connections: number): Pattern => ({ connection: 'keep-alive', httpVersion: '1.1', connections });

export const SCENARIOS: readonly Scenario[] = [
  {
    kind: 'cpu',
    name: 'keepalive',
    title: 'small GET, 64 connections kept alive',
    tls: false,
    path: PATHS.small,
    pattern: keepAlive(64),
  },
  {
    kind: 'cpu',
    name: 'tls-keepalive',
    title: 'small GET over TLS, 64 connections kept alive',
    tls: true,
    path: PATHS.small,
    pattern: keepAlive(64),
  },
  {
    kind: 'cpu',
    name: 'body-1m',
    title: '1 MiB down, 16 connections kept alive',
    tls: false,
    path: PATHS.large,
    pattern: keepAlive(16),
  },
  {
    kind: 'cpu',
    name: 'tls-body-1m',
    title: '1 MiB down over TLS, 16 connections kept alive',
    tls: true,
    path: PATHS.large,
    pattern: keepAlive(16),
  },
  {
    kind: 'cpu',
    name: 'connect-plain',
    title: 'HTTP/1.0, a new connection for each small GET, 32 at once',
    tls: false,
    path: PATHS.small,
    pattern: { connection: 'per-request', httpVersion: '1.0', connections: 32 },
  },
  {
    kind: 'cpu',
    name: 'connect-tls',
    title: 'a new TLS 1.3 connection (full handshake, P-256) for each small GET, 16 at once',
    tls: true,
    path: PATHS.small,
    pattern: { connection: 'per-request', httpVersion: '1.1', connections: 16 },
  },
  {
    kind: 'memory',
    name: 'memory',
    title: 'resident memory after 1,000,000 requests against after 10,000',
    tls: false,
    path: PATHS.small,
    pattern: keepAlive(64),
    few: 10_000,
    many: 1_000_000,
    peers: ['phoenix'],
  },
];

/** Finds scenarios by name. Throws an Error that lists the known names. */
export function findScenarios(names: readonly string[]): Scenario[] {
  return names.map((name) => {
    const found = SCENARIOS.find((scenario) => scenario.name === name);
    if (found === undefined)
      throw new Error(`unknown scenario ${name}: expected ${SCENARIOS.map((s) => s.name).join(', ')}`);
    return found;
  });
}
