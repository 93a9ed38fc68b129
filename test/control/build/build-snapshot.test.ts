import { describe, expect, it } from 'vitest';
import { buildSnapshot } from '../../../src/control/build/build-snapshot.ts';
import { makeCa } from '../../support/certs.ts';
import { build, errors, GENERATED, GOOD, inputOf, marked, STATIC, sourceOf } from './harness.ts';

const SERVICE = 'services: {app: {loadBalancer: {servers: [{url: "http://127.0.0.1:8000"}]}}}';

describe('merging', () => {
  it('gives a name to the first file by path, and names both places at the second', () => {
    const { text, line, column } = marked(
      'http:\n  services:\n    «app: {loadBalancer: {servers: [{url: "http://other"}]}}\n',
    );
    const files = { 'b.yml': text, 'a.yml': GOOD };
    const { snapshot, diagnostics } = build(files);
    expect(snapshot.http.services['app@file']?.config.loadBalancer?.servers[0]?.url).toBe('http://127.0.0.1:8000');
    const found = diagnostics.find((d) => d.code === 'duplicate-name');
    expect(found).toMatchObject({ severity: 'error', file: 'b.yml', line, column });
    expect(found?.message).toContain('a.yml:8');
  });

  it('keeps a name with the file that has it first even where that object was rejected', () => {
    const broken = 'http: {services: {app: {loadBalancer: {serverz: []}}}}\n';
    const { snapshot } = build({ 'a.yml': broken, 'b.yml': GOOD });
    expect(snapshot.http.services['app@file']).toMatchObject({ status: 'disabled', config: {} });
    expect(snapshot.http.services['app@file']?.errors).toHaveLength(1);
  });

  it('resolves references across files', () => {
    const router = 'http: {routers: {r: {rule: Host(`a.x`), service: app@file, middlewares: [m]}}}\n';
    const rest = `http: {${SERVICE}, middlewares: {m: {addPrefix: {prefix: /a}}}}\n`;
    const { snapshot, diagnostics } = build({ '1.yml': router, '2.yml': rest });
    expect(diagnostics).toEqual([]);
    expect(snapshot.http.routers['r@file']).toMatchObject({
      service: 'app@file',
      middlewares: ['m@file'],
      status: 'enabled',
    });
  });

  it('comes to the same whatever order the files are given in', () => {
    const input = inputOf({ 'a.yml': GOOD, 'b.yml': GOOD, 'c.yml': 'tls: {options: {default: {sniStrict: true}}}\n' });
    const backwards = { ...input, sources: [...input.sources].reverse() };
    expect(JSON.stringify(buildSnapshot(backwards))).toBe(JSON.stringify(buildSnapshot(input)));
  });
});

describe('routers', () => {
  it('keeps a router that was rejected in its place, disabled and with its errors', () => {
    const { snapshot } = build('http: {routers: {r: {rule: Host(`a.x`), service: api@internal, prioritty: 3}}}\n');
    const router = snapshot.http.routers['r@file'];
    expect(router?.status).toBe('disabled');
    expect(router?.errors[0]).toMatch(/unknown key "prioritty"/);
  });

  it('uses the entry points marked asDefault, else all but traefik', () => {
    expect(build(GOOD, { static: `${STATIC}ping: {}\n` }).snapshot.http.routers['app@file']?.entryPoints).toEqual([
      'web',
      'websecure',
    ]);
    const marked = STATIC.replace('address: ":80"', 'address: ":80"\n    asDefault: true');
    expect(build(GOOD, { static: marked }).snapshot.http.routers['app@file']?.entryPoints).toEqual(['web']);
  });

  it('takes the length of the rule in bytes for the priority that nobody gave', () => {
    expect(build(GOOD).snapshot.http.routers['app@file']?.priority).toBe('Host(`app.x`)'.length);
  });

  it('refuses the requests of a router whose protection is not implemented, in a chain too', () => {
    const yaml = `http: {routers: {r: {rule: Host(\`a.x\`), service: app, middlewares: [c]}}, ${SERVICE}, middlewares: {c: {chain: {middlewares: [f]}}, f: {forwardAuth: {address: http://a}}}}\n`;
    const router = build(yaml).snapshot.http.routers['r@file'];
    expect(router?.refuse).toMatch(/forwardAuth is not implemented/);
    expect(router?.status).toBe('warning');
  });

  it('refuses the requests of a router whose users file cannot be read, and lets its users in once it can', () => {
    const yaml = `http: {routers: {r: {rule: Host(\`a.x\`), service: app, middlewares: [m]}}, ${SERVICE}, middlewares: {m: {basicAuth: {users: ["a:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="], usersFile: /users}}}}\n`;
    const without = build(yaml);
    expect(without.snapshot.http.routers['r@file']?.refuse).toMatch(/\/users/);
    expect(without.referencedFiles).toEqual(['/users']);
    const users = '# people\n\nb:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\r\n';
    const withFile = build(yaml, { referenced: { '/users': users } });
    expect(withFile.snapshot.http.routers['r@file']).toMatchObject({ status: 'enabled' });
    expect(withFile.snapshot.http.middlewares['m@file']?.config.basicAuth?.users).toHaveLength(2);
    expect(withFile.diagnostics).toEqual([]);
  });

  it('marks what is left out safely, so that workers leave it out', () => {
    const yaml = `http: {routers: {r: {rule: Host(\`a.x\`), service: app, middlewares: [m]}}, ${SERVICE}, middlewares: {m: {compress: {}}}}\n`;
    const { http } = build(yaml).snapshot;
    expect(http.middlewares['m@file']).toMatchObject({ skip: true, status: 'warning' });
    expect(http.routers['r@file']?.refuse).toBeUndefined();
  });
});

describe('services', () => {
  it('leaves out one bad server and serves with the others', () => {
    const yaml =
      'http: {services: {app: {loadBalancer: {servers: [{url: "10.0.0.1:80"}, {url: "http://10.0.0.2"}]}}}}\n';
    const service = build(yaml).snapshot.http.services['app@file'];
    expect(service?.status).toBe('warning');
    expect(service?.config.loadBalancer?.servers.map((server) => server.url)).toEqual(['http://10.0.0.2']);
  });

  it('does not suffer from a broken default transport where the upstreams speak plain HTTP', () => {
    const file = `${STATIC}serversTransport: {rootCAs: [/nowhere.crt]}\n`;
    const { snapshot, diagnostics } = build(GOOD, { static: file });
    expect(snapshot.http.services['app@file']?.status).toBe('enabled');
    expect(errors(diagnostics)).toMatchObject([{ code: 'tls-file-missing', file: 'traefik.yml' }]);
    const https = build(GOOD.replace('http://127', 'https://127'), { static: file });
    expect(https.snapshot.http.services['app@file']?.status).toBe('disabled');
  });

  it('puts root CAs and client certificates into the transport', () => {
    const ca = makeCa();
    const client = ca.issue({ sans: ['client'], notBefore: new Date(0) });
    const yaml =
      'http: {serversTransports: {t: {rootCAs: [/ca.crt], certificates: [{certFile: /c.crt, keyFile: /c.key}]}}}\n';
    const { snapshot, referencedFiles } = build(yaml, {
      referenced: { '/ca.crt': ca.cert, '/c.crt': client.cert, '/c.key': client.key },
    });
    const transport = snapshot.http.serversTransports['t@file'];
    expect(transport?.status).toBe('enabled');
    expect(transport?.rootCAs.join('').trim()).toBe(ca.cert.trim());
    expect(transport?.certificates).toHaveLength(1);
    expect(referencedFiles).toEqual(['/c.crt', '/c.key', '/ca.crt']);
  });
});

describe('TLS', () => {
  it('serves the good certificate beside a broken one', () => {
    const leaf = makeCa().issue({ sans: ['a.x'], notBefore: new Date(0), notAfter: new Date(4e12) });
    const yaml = 'tls: {certificates: [{certFile: /no.crt, keyFile: /no.key}, {certFile: /a.crt, keyFile: /a.key}]}\n';
    const { snapshot, diagnostics } = build(yaml, { referenced: { '/a.crt': leaf.cert, '/a.key': leaf.key } });
    expect(snapshot.tls.certificates.map((one) => one.names)).toEqual([['a.x']]);
    expect(errors(diagnostics).length).toBeGreaterThan(0);
    expect(snapshot.tls.defaultCertificate).toEqual(GENERATED);
  });

  it('serves the configured default certificate', () => {
    const leaf = makeCa().issue({ sans: ['d.x'] });
    const yaml = 'tls: {stores: {default: {defaultCertificate: {certFile: /d.crt, keyFile: /d.key}}}}\n';
    const { tls } = build(yaml, { referenced: { '/d.crt': leaf.cert, '/d.key': leaf.key } }).snapshot;
    expect(tls.defaultCertificate.names).toEqual(['d.x']);
  });

  it('always has the default options', () => {
    expect(build('').snapshot.tls.options.default).toMatchObject({ minVersion: 'TLSv1.2', sniStrict: false });
  });

  it('refuses handshakes where the default options are broken, instead of laxer ones', () => {
    const { tls } = build('tls: {options: {default: {clientAuht: {}}}}\n').snapshot;
    expect(tls.options.default?.refuse).toMatch(/unknown key/);
  });

  it('says where two routers want different options for one host', () => {
    const router = (options: string) => `{rule: Host(\`a.x\`), service: api@internal, tls: ${options}}`;
    const yaml = `http: {routers: {one: ${router('{}')}, two: ${router('{options: strict}')}}}\ntls: {options: {strict: {sniStrict: true}}}\n`;
    const found = build(yaml).diagnostics.filter((d) => d.code === 'tls-options-conflict');
    expect(found.map((d) => d.message)).toEqual([
      expect.stringMatching(/^entry point "web": one@file, two@file want different TLS options .* for a\.x/),
      expect.stringMatching(/^entry point "websecure"/),
    ]);
  });
});

describe('the snapshot', () => {
  it('is frozen all the way down', () => {
    const { snapshot, diagnostics } = build(GOOD);
    expect(Object.isFrozen(snapshot.http.services['app@file']?.config.loadBalancer?.servers)).toBe(true);
    expect(Object.isFrozen(snapshot.entryPoints.web?.timeouts)).toBe(true);
    expect(Object.isFrozen(diagnostics)).toBe(true);
  });

  it('survives the way to a worker', () => {
    const { snapshot } = build(GOOD);
    expect(structuredClone(snapshot)).toEqual(snapshot);
  });

  it('leaves out a file that could not be parsed', () => {
    const input = inputOf(GOOD);
    const { snapshot } = buildSnapshot({ ...input, sources: [...input.sources, sourceOf('b.yml', 'http: [')] });
    expect(snapshot.http.routers['app@file']?.status).toBe('enabled');
  });

  it('does not slow down with the square of what is wrong', () => {
    // Both sizes on one machine at one time: their ratio holds where neither time would.
    const time = (count: number): number => {
      const routers = Array.from({ length: count }, (_, i) => `    r${i}: {rule: Hots(\`h${i}\`), service: s${i}}`);
      const services = Array.from({ length: count }, (_, i) => `    t${i}: {loadBalancer: {servers: [{url: x}]}}`);
      const input = inputOf(`http:\n  routers:\n${routers.join('\n')}\n  services:\n${services.join('\n')}\n`);
      const times = [1, 2, 3].map(() => {
        const start = process.cpuUsage().user;
        buildSnapshot(input);
        return process.cpuUsage().user - start;
      });
      return Math.min(...times);
    };
    time(200);
    expect(time(5000) / time(500)).toBeLessThan(60);
  });
});
