import type { Running } from '../processes.ts';

/** What a peer needs to know to be started for one scenario. */
export interface Setting {
  readonly tls: boolean;
  /** Free port on 127.0.0.1 to listen on. */
  readonly port: number;
  /** Another free one, for an administration interface. */
  readonly adminPort: number;
  /** Port on 127.0.0.1 of the plain HTTP/1.1 upstream. */
  readonly upstreamPort: number;
  readonly certificate: Certificate;
  /** Folder of this peer alone, for its rendered configuration. */
  readonly directory: string;
  /** Worker processes or threads. */
  readonly workers: number;
  /** Routers for hosts `host-N.bench.internal` besides the one for `localhost`. */
  readonly routers: number;
  /** File that gets a line for each request; null = none. */
  readonly accessLog: string | null;
}

/** Files of the run's P-256 certificate for `localhost`. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** Certificate and key in one file, as HAProxy wants it. */
  readonly bothFile: string;
}

export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Changes the configuration (the n-th time) and has it taken over; resolves when it was told, not when it is done. */
  readonly reload?: (running: Running, n: number) => Promise<void> | void;
}

/** What a scenario may ask of a peer beyond passing requests on. */
export type Feature = 'routers' | 'workers' | 'access-log' | 'reload' | 'websocket' | 'idle';

/** A proxy that is measured. */
export interface Peer {
  readonly name: string;
  /** True when its code is compiled while it runs: it gets the whole warm-up, the others a fifth. */
  readonly warmsUp: boolean;
  /** What it does not have. The splice is measured in such scenarios all the same, as the floor. */
  readonly lacks: readonly Feature[];
  /** null when it can run here; else what is missing and how to get it. */
  missing(): string | null;
  /** Version for the report; only called when nothing is missing. */
  version(): string;
  /**
   * Writes its configuration into `setting.directory` and gives the command that stays in the foreground. null: nothing
   * is between the load and the upstream.
   */
  prepare(setting: Setting): CommandLine | null;
}
