import { readFileSync } from 'node:fs';
import { type BuildInput, type BuildOutcome, buildSnapshot } from '../../../src/control/build/build-snapshot.ts';
import type { Source } from '../../../src/control/build/merge.ts';
import { decodeDynamic } from '../../../src/core/config/decode.ts';
import { decodeStatic } from '../../../src/core/config/load-static.ts';
import type { Diagnostic } from '../../../src/core/diagnostic.ts';
import type { CertificateSnapshot } from '../../../src/core/snapshot.ts';

export const NOW = Date.UTC(2026, 0, 1);

/** Stands for the generated certificate: nothing of it is looked into. */
export const GENERATED: CertificateSnapshot = {
  cert: 'generated cert',
  key: 'generated key',
  fingerprint: '00',
  names: ['generated.phoenix.default'],
  notBefore: 0,
  notAfter: 1,
  origin: 'generated',
};

export const STATIC = `
entryPoints:
  web:
    address: ":80"
  websecure:
    address: ":8443"
providers:
  file:
    directory: /etc/traefik/dynamic
`;

export interface Files {
  /** The static file. */
  readonly static?: string;
  /** What the configuration names: certificates, users. */
  readonly referenced?: Readonly<Record<string, string>>;
}

/** Decodes files as the file provider does, and builds. */
export function build(dynamic: string | Readonly<Record<string, string>>, files: Files = {}): BuildOutcome {
  return buildSnapshot(inputOf(dynamic, files));
}

export function inputOf(dynamic: string | Readonly<Record<string, string>>, files: Files = {}): BuildInput {
  const text = files.static ?? STATIC;
  const decoded = decodeStatic({ file: { name: 'traefik.yml', text }, flags: [], env: {} });
  if (decoded.config === null)
    throw new Error(`the static file of the test is bad: ${JSON.stringify(decoded.diagnostics)}`);
  return {
    version: 1,
    now: NOW,
    static: decoded.config,
    locateStatic: (path, at) => {
      const position = decoded.positions(path, at);
      return position === undefined ? undefined : { file: 'traefik.yml', ...position };
    },
    sources: Object.entries(typeof dynamic === 'string' ? { 'a.yml': dynamic } : dynamic).map(([file, content]) =>
      sourceOf(file, content),
    ),
    read: (path) => files.referenced?.[path] ?? Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' }),
    defaultCertificate: GENERATED,
    ticketKeys: 'dGlja2V0cw==',
    internalSocket: '/run/proxy.sock',
  };
}

export function sourceOf(file: string, text: string): Source {
  return { provider: 'file', file, text, decoded: decodeDynamic(file, text) };
}

export function fixture(name: string): string {
  return readFileSync(new URL(`../../fixtures/build/${name}`, import.meta.url), 'utf8');
}

/** Takes the mark out of a text and says where it stood. */
export function marked(text: string): { readonly text: string; readonly line: number; readonly column: number } {
  const offset = text.indexOf('«');
  if (offset === -1) throw new Error('the test marks no place');
  const before = text.slice(0, offset).split('\n');
  return { text: text.replace('«', ''), line: before.length, column: before.at(-1)!.length + 1 };
}

export function errors(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.filter((d) => d.severity === 'error');
}

/** Some routers and services that are in order, to be added to. */
export const GOOD = `
http:
  routers:
    app:
      rule: Host(\`app.x\`)
      service: app
  services:
    app:
      loadBalancer:
        servers:
          - url: http://127.0.0.1:8000
`;
