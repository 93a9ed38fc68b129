import { describe, expect, it } from 'vitest';
import { decodeStatic } from '../../../src/core/config/load-static.ts';
import { build, errors, fixture } from './harness.ts';

const STATIC = fixture('traefik.yml');

describe("the operator's own files", () => {
  const { snapshot, diagnostics, referencedFiles, wanted } = build(fixture('dynamic_conf.yml'), { static: STATIC });
  const { routers, services } = snapshot.http;

  it('says that the http section of the static file has no effect', () => {
    const { diagnostics: found } = decodeStatic({ file: { name: 'traefik.yml', text: STATIC }, flags: [], env: {} });
    expect(found.find((d) => d.code === 'dynamic-in-static')).toMatchObject({
      file: 'traefik.yml',
      severity: 'warning',
    });
    expect(Object.keys(routers)).not.toContain('http-catchall@static');
  });

  it('explains the catch-all in version 2 syntax and disables it alone', () => {
    expect(routers['http-catchall@file']).toMatchObject({ status: 'disabled', service: 'noop@internal' });
    const found = diagnostics.find((d) => d.code === 'rule-v2-syntax');
    expect(found).toMatchObject({
      severity: 'error',
      file: 'a.yml',
      line: 21,
      column: 14,
      path: 'http.routers.http-catchall.rule',
    });
    expect(found?.hint).toBeDefined();
    expect(routers['ollama-router@file']?.status).toBe('enabled');
  });

  it('never falls back to other authorities where the root CA cannot be read', () => {
    expect(snapshot.http.serversTransports['internal-ca@file']).toMatchObject({ status: 'disabled', rootCAs: [] });
    expect(services['portainer-service@file']?.status).toBe('disabled');
    expect(routers['portainer-router@file']?.status).toBe('disabled');
    expect(diagnostics.find((d) => d.code === 'tls-file-missing')).toMatchObject({
      file: 'a.yml',
      line: 44,
      column: 11,
    });
  });

  it('watches the missing root CA, so that its coming is noticed', () => {
    expect(referencedFiles).toEqual(['/etc/step-ca/ssl/phoenix_root_ca.crt']);
  });

  it('orders a certificate for each router with a certResolver that can be served', () => {
    expect(wanted).toEqual([
      {
        resolver: 'internal-resolver',
        main: 'ollama.internal.thinkheads.ai',
        sans: [],
        for: ['ollama-router@file'],
      },
      {
        resolver: 'internal-resolver',
        main: 'traefik.internal.thinkheads.ai',
        sans: [],
        for: ['traefik-router@file'],
      },
    ]);
    expect(routers['traefik-router@file']).toMatchObject({
      status: 'enabled',
      service: 'api@internal',
      tls: { options: 'default', certResolver: 'internal-resolver' },
    });
    expect(services['api@internal']).toMatchObject({ kind: 'internal', status: 'enabled' });
    expect(services['noop@internal']).toMatchObject({ kind: 'internal', status: 'enabled' });
  });

  it('redirects web to the port that the file names', () => {
    expect(routers['web-to-8443@internal']).toMatchObject({
      entryPoints: ['web'],
      service: 'noop@internal',
      middlewares: ['redirect-web-to-8443@internal'],
      priority: Number.MAX_SAFE_INTEGER - 1,
      status: 'enabled',
    });
    expect(snapshot.http.middlewares['redirect-web-to-8443@internal']?.config).toEqual({
      redirectScheme: { scheme: 'https', port: '8443', permanent: true },
    });
  });

  it('serves api, dashboard and ping on the entry point traefik', () => {
    for (const name of ['api@internal', 'dashboard@internal', 'ping@internal']) {
      expect(routers[name]).toMatchObject({ entryPoints: ['traefik'], status: 'enabled' });
    }
    const [ping, api, dashboard] = ['ping', 'api', 'dashboard'].map((name) => routers[`${name}@internal`]!.priority);
    expect(ping! > api! && api! > dashboard!).toBe(true);
  });

  it('takes a file with a null section for one without routes', () => {
    const empty = build(fixture('no-services.yml'), { static: STATIC });
    expect(errors(empty.diagnostics)).toEqual([]);
    expect(Object.keys(empty.snapshot.http.routers).every((name) => name.endsWith('@internal'))).toBe(true);
  });
});
