/** CPU time a request of `peer`, at most `atMost` times that of `of`, as the median of the rounds' ratios. */
export interface RatioTarget {
  readonly scenario: string;
  readonly peer: string;
  readonly of: string;
  readonly atMost: number;
}

/** Growth of resident memory, in MiB. */
export interface GrowthTarget {
  readonly scenario: string;
  readonly peer: string;
  readonly atMostMebibytes: number;
}

/** Resident memory of an idle connection, in KiB. */
export interface IdleTarget {
  readonly scenario: string;
  readonly peer: string;
  readonly atMostKibibytes: number;
}

/** What this project promises. Ratios, since they carry from machine to machine where microseconds do not. */
export const RATIO_TARGETS: readonly RatioTarget[] = [
  { scenario: 'keepalive', peer: 'phoenix', of: 'splice', atMost: 1.3 },
  { scenario: 'keepalive', peer: 'phoenix', of: 'http-proxy-3', atMost: 0.4 },
  { scenario: 'tls-keepalive', peer: 'phoenix', of: 'splice', atMost: 1.3 },
  { scenario: 'body-1m', peer: 'phoenix', of: 'splice', atMost: 1.1 },
  { scenario: 'tls-body-1m', peer: 'phoenix', of: 'splice', atMost: 1.1 },
  { scenario: 'connect-plain', peer: 'phoenix', of: 'splice', atMost: 0.65 },
  { scenario: 'connect-tls', peer: 'phoenix', of: 'splice', atMost: 0.9 },
];

export const GROWTH_TARGETS: readonly GrowthTarget[] = [{ scenario: 'memory', peer: 'phoenix', atMostMebibytes: 64 }];

export const IDLE_TARGETS: readonly IdleTarget[] = [
  { scenario: 'idle', peer: 'phoenix', atMostKibibytes: 20 },
  { scenario: 'tls-idle', peer: 'phoenix', atMostKibibytes: 40 },
];
