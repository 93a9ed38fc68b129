/** What a peer needs to know to be started for one scenario. */
export interface Setting {
  readonly tls: boolean;
  /** Free port on 127.0.0.1 to listen on. */
  readonly port: number;
  /** Port on 127.0.0.1 of the plain HTTP/1.1 upstream. */
  readonly upstreamPort: number;
  readonly certificate: Certificate;
  /** Folder of this peer alone, for its rendered configuration. */
  readonly directory: string;
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
}

/** A proxy that is measured. One worker or thread each: CPU time per request is compared, not the number of cores. */
export interface Peer {
  readonly name: string;
  /** True when its code is compiled while it runs: it gets the whole warm-up, the others a fifth. */
  readonly warmsUp: boolean;
  /** null when it can run here; else what is missing and how to get it. */
  missing(): string | null;
  /** Version for the report; only called when nothing is missing. */
  version(): string;
  /** Writes its configuration into `setting.directory` and gives the command that stays in the foreground. */
  prepare(setting: Setting): CommandLine;
}
