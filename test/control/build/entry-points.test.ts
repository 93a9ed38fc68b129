import { describe, expect, it } from 'vitest';
import { build, GOOD, STATIC } from './harness.ts';

const WITH_AUTH = `
entryPoints:
  web:
    address: ":80"
  websecure:
    address: ":8443"
    http:
      middlewares: [auth@file]
      tls:
        options: strict@file
`;
const AUTH = `${GOOD}  middlewares:
    auth: {ipAllowList: {sourceRange: [10.0.0.0/8]}}
    own: {addPrefix: {prefix: /a}}
tls: {options: {strict: {sniStrict: true}}}
`;

describe('entry points', () => {
  it("have Traefik's defaults", () => {
    expect(build(GOOD).snapshot.entryPoints.web).toMatchObject({
      host: '::',
      port: 80,
      timeouts: { headerMs: 60_000, bodyIdleMs: 60_000, keepAliveMs: 180_000 },
      lifeCycle: { requestAcceptGraceMs: 0, graceMs: 10_000 },
      forwardedHeaders: { insecure: false, trustedIPs: [] },
      sanitizePath: true,
    });
  });

  it('take what is configured', () => {
    const file = `
entryPoints:
  web:
    address: 127.0.0.1:8081
    http: {maxHeaderBytes: 8192, sanitizePath: false}
    forwardedHeaders: {trustedIPs: [10.0.0.153/32]}
    transport: {respondingTimeouts: {readTimeout: 5s, idleTimeout: 1m}, lifeCycle: {graceTimeOut: 3s}}
`;
    expect(build(GOOD, { static: file }).snapshot.entryPoints.web).toMatchObject({
      host: '127.0.0.1',
      port: 8081,
      maxHeaderBytes: 8192,
      sanitizePath: false,
      forwardedHeaders: { trustedIPs: ['10.0.0.153/32'] },
      timeouts: { headerMs: 5000, bodyIdleMs: 5000, keepAliveMs: 60_000 },
      lifeCycle: { graceMs: 3000 },
    });
  });

  it('do not trust a range that cannot be read, and say so', () => {
    const file = 'entryPoints:\n  web:\n    address: ":80"\n    forwardedHeaders: {trustedIPs: [10.0.0.1, gateway]}\n';
    const { snapshot, diagnostics } = build(GOOD, { static: file });
    expect(snapshot.entryPoints.web?.forwardedHeaders.trustedIPs).toEqual(['10.0.0.1']);
    expect(diagnostics).toMatchObject([{ code: 'bad-ip-range', file: 'traefik.yml', line: 4, column: 47 }]);
  });

  it('are not opened where another listens on all addresses of the same port', () => {
    const file = 'entryPoints:\n  web:\n    address: ":80"\n  other:\n    address: 127.0.0.1:80\n';
    const { snapshot, diagnostics } = build(GOOD, { static: file });
    expect(Object.keys(snapshot.entryPoints)).toEqual(['web']);
    expect(diagnostics).toMatchObject([
      { code: 'duplicate-address', severity: 'error', file: 'traefik.yml', line: 5, column: 14 },
    ]);
  });

  it('get `traefik` for ping and metrics, and only then', () => {
    expect(build(GOOD).snapshot.entryPoints.traefik).toBeUndefined();
    expect(build(GOOD, { static: `${STATIC}ping: {}\n` }).snapshot.entryPoints.traefik?.port).toBe(8080);
    expect(build(GOOD, { static: `${STATIC}metrics: {prometheus: {}}\n` }).snapshot.entryPoints.traefik?.port).toBe(
      8080,
    );
    const manual = build(GOOD, { static: `${STATIC}ping: {manualRouting: true}\n` }).snapshot;
    expect(manual.entryPoints.traefik).toBeUndefined();
    expect(manual.http.routers['ping@internal']).toBeUndefined();
  });
});

describe('what entry points add to their routers', () => {
  it('splits a router of several entry points, as Traefik does', () => {
    const { routers } = build(AUTH, { static: WITH_AUTH }).snapshot.http;
    expect(routers['app@file']).toMatchObject({ entryPoints: ['web'], middlewares: [] });
    expect(routers['app@file']?.tls).toBeUndefined();
    expect(routers['websecure-app@file']).toMatchObject({
      name: 'websecure-app@file',
      entryPoints: ['websecure'],
      middlewares: ['auth@file'],
      tls: { options: 'strict@file' },
    });
  });

  it('leaves the name of a router of one entry point, and its own middlewares after the added ones', () => {
    const one = AUTH.replace('service: app', 'service: app\n      entryPoints: [websecure]\n      middlewares: [own]');
    const { routers } = build(one, { static: WITH_AUTH }).snapshot.http;
    expect(routers['app@file']).toMatchObject({ entryPoints: ['websecure'], middlewares: ['auth@file', 'own@file'] });
  });

  it("keeps the router's own TLS", () => {
    const own = AUTH.replace('service: app', 'service: app\n      tls: {}');
    const { routers } = build(own, { static: WITH_AUTH }).snapshot.http;
    expect(routers['websecure-app@file']?.tls).toEqual({ options: 'default' });
  });

  it('disables routers there, and only there, where an added middleware is missing; it is said once', () => {
    const without = AUTH.replace('auth:', 'auht:').replace('    own:', '    second: {stripPrefix: {}}\n    own:');
    const two = without.replace('  services:', '    app2: {rule: Host(`b.x`), service: app}\n  services:');
    const { snapshot, diagnostics } = build(two, { static: WITH_AUTH });
    expect(snapshot.http.routers['app@file']?.status).toBe('enabled');
    expect(snapshot.http.routers['websecure-app@file']).toMatchObject({
      status: 'disabled',
      errors: ['middleware "auth@file" does not exist'],
    });
    expect(diagnostics.filter((d) => d.code === 'unknown-middleware')).toMatchObject([
      { file: 'traefik.yml', line: 8, column: 21, hint: 'did you mean `auht@file`?' },
    ]);
  });

  it('redirects to the port of the entry point named', () => {
    const file = STATIC.replace(
      '":80"',
      '":80"\n    http: {redirections: {entryPoint: {to: websecure, permanent: false, priority: 10}}}',
    );
    const { routers, middlewares } = build(GOOD, { static: file }).snapshot.http;
    expect(routers['web-to-websecure@internal']).toMatchObject({ rule: 'HostRegexp(`^.+$`)', priority: 10 });
    expect(middlewares['redirect-web-to-websecure@internal']?.config).toEqual({
      redirectScheme: { scheme: 'https', port: '8443', permanent: false },
    });
  });
});
