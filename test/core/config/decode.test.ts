import { describe, expect, it } from 'vitest';
import { decodeDynamic } from '../../../src/core/config/decode.ts';

/** Decodes one router, service or middleware and returns what became of it. */
function one(kind: 'routers' | 'services' | 'middlewares', body: string) {
  const { config, rejected, diagnostics } = decodeDynamic('a.yml', `http: {${kind}: {x: ${body}}}`);
  return { value: config?.http[kind].x, rejected, diagnostics, codes: diagnostics.map(({ code }) => code) };
}

describe('decodeDynamic', () => {
  it("fills in Traefik's defaults", () => {
    const { config, diagnostics } = decodeDynamic('a.yml', 'http: {services: {s: {loadBalancer: {healthCheck: {}}}}}');
    expect(diagnostics).toEqual([]);
    // The last ones of each are ours.
    expect(config?.http.services.s).toEqual({
      loadBalancer: {
        servers: [],
        strategy: 'wrr',
        passHostHeader: true,
        responseForwarding: { flushInterval: 100 },
        healthCheck: {
          method: 'GET',
          status: 0,
          mode: 'http',
          interval: 30_000,
          timeout: 5000,
          headers: {},
          followRedirects: true,
          unhealthyThreshold: 1,
          healthyThreshold: 1,
          body: '',
          initial: 'unknown',
        },
        slowStart: 10_000,
      },
    });
  });

  it.each(['', 'http:\n', 'http: {}\n', 'http: {routers: , middlewares: {}}\n', '# nothing\n'])(
    'takes %j as a configuration without anything',
    (text) => {
      const { config, diagnostics } = decodeDynamic('a.yml', text);
      expect(diagnostics).toEqual([]);
      expect(config?.http).toEqual({ routers: {}, services: {}, middlewares: {}, serversTransports: {} });
    },
  );

  it.each(['headers', 'retry', 'compress', 'stripPrefix', 'basicAuth', 'chain', 'rateLimit'])(
    'accepts the empty middleware %s: {}',
    (type) => {
      const { value, diagnostics } = one('middlewares', `{${type}: {}}`);
      expect(diagnostics).toEqual([]);
      expect(Object.keys(value ?? {})).toEqual([type]);
    },
  );

  it('matches keys whatever their case, and leaves names alone', () => {
    const text = 'HTTP: {ROUTERS: {MyRouter: {RULE: Host(`a`), Service: s, EntryPoints: [Web]}}}';
    const { config, diagnostics } = decodeDynamic('a.yml', text);
    expect(diagnostics).toEqual([]);
    expect(config?.http.routers).toEqual({
      MyRouter: { rule: 'Host(`a`)', service: 's', entryPoints: ['Web'], middlewares: [], priority: 0 },
    });
  });

  it('keeps the case of header names', () => {
    const { value } = one('middlewares', '{Headers: {customrequestheaders: {X-Foo: a, x-bar: 5, X-Gone: ""}}}');
    expect(value).toMatchObject({ headers: { customRequestHeaders: { 'X-Foo': 'a', 'x-bar': '5', 'X-Gone': '' } } });
  });

  it("coerces scalars as Traefik's decoder does", () => {
    const router = one('routers', '{rule: x, service: 12, entryPoints: "web, websecure", priority: "7", tls: true}');
    expect(router.value).toMatchObject({ service: '12', entryPoints: ['web', 'websecure'], priority: 7, tls: {} });
    const service = one(
      'services',
      '{loadBalancer: {passHostHeader: "false", strategy: P2C, healthCheck: {port: "8080", interval: "10", followRedirects: 0}}}',
    );
    expect(service.value).toMatchObject({
      loadBalancer: {
        passHostHeader: false,
        strategy: 'p2c',
        healthCheck: { port: 8080, interval: 10_000, followRedirects: false },
      },
    });
    expect(one('middlewares', '{redirectScheme: {scheme: https, port: 8443}}').value).toMatchObject({
      redirectScheme: { port: '8443' },
    });
  });

  it('takes tls: false as no TLS', () => {
    expect(one('routers', '{rule: x, service: s, tls: false}').value).not.toHaveProperty('tls');
  });

  it('warns of a null section whose presence would have meant something', () => {
    const { value, diagnostics } = one('routers', '{rule: x, service: s, tls: }');
    expect(value).not.toHaveProperty('tls');
    expect(diagnostics).toMatchObject([
      { severity: 'warning', code: 'null-section', hint: expect.stringContaining('tls: {}') },
    ]);
  });

  it('rejects only the object with an unknown key, and says which key was meant and where', () => {
    const text = `http:
  routers:
    good: {rule: x, service: s}
    bad:
      rul: y
      service: s
`;
    const { config, rejected, diagnostics } = decodeDynamic('dir/a.yml', text);
    expect(Object.keys(config?.http.routers ?? {})).toEqual(['good']);
    expect(diagnostics).toEqual([
      {
        severity: 'error',
        code: 'unknown-key',
        message: 'unknown key "rul" in http.routers.bad',
        hint: 'did you mean `rule`?',
        file: 'dir/a.yml',
        line: 5,
        column: 7,
        path: 'http.routers.bad.rul',
      },
    ]);
    expect(rejected).toEqual([{ kind: 'router', name: 'bad', diagnostics }]);
  });

  it('says where a misplaced key belongs', () => {
    const { diagnostics } = one('routers', '{rule: x, service: s, certResolver: r}');
    expect(diagnostics[0]?.hint).toContain('tls.certResolver');
  });

  it.each([
    ['services', '{loadBalancer: {}, weighted: {}}', 'exactly-one'],
    ['services', '{}', 'exactly-one'],
    ['middlewares', '{compress: {}, retry: {}}', 'exactly-one'],
    ['middlewares', '{compress: }', 'exactly-one'],
    ['routers', '{service: s}', 'missing-key'],
    ['routers', '{rule: x}', 'missing-key'],
    ['routers', '{rule: x, Rule: y, service: s}', 'duplicate-key'],
    ['routers', '{rule: x, service: s, parentRefs: [p]}', 'not-supported'],
    ['routers', '{rule: "Host(`{{ env `X` }}`)", service: s}', 'go-template'],
    ['routers', '{rule: [x], service: s}', 'wrong-type'],
    ['routers', '{rule: x, service: s, priority: high}', 'wrong-type'],
    ['routers', '{rule: x, service: s, priority: 1.5}', 'bad-value'],
    ['services', '{loadBalancer: {servers: {url: x}}}', 'wrong-type'],
    ['services', '{loadBalancer: {servers: [http://x]}}', 'wrong-type'],
    ['services', '{loadBalancer: {servers: [~]}}', 'null-entry'],
    ['services', '{loadBalancer: {passHostHeader: yes}}', 'wrong-type'],
    ['services', '{loadBalancer: {strategy: rr}}', 'bad-value'],
    ['services', '{loadBalancer: {healthCheck: {interval: 3 s}}}', 'wrong-type'],
    ['services', '{loadBalancer: {healthCheck: {port: 70000}}}', 'bad-value'],
    ['services', '[]', 'wrong-type'],
    ['middlewares', '{errors: {status: [5xx], service: s}}', 'bad-value'],
    ['middlewares', 'true', 'wrong-type'],
  ] as const)('rejects %s %s as %s', (kind, body, code) => {
    const { value, rejected, codes } = one(kind, body);
    expect(value).toBeUndefined();
    expect(codes).toContain(code);
    expect(rejected).toHaveLength(1);
  });

  it('does not take a version 2 rule for a Go template', () => {
    const { value, diagnostics } = one('routers', '{rule: "HostRegexp(`{host:.+}`)", service: s}');
    expect(diagnostics).toEqual([]);
    expect(value).toBeDefined();
  });

  it('decodes a plugin and says that it is not supported', () => {
    const { value, diagnostics } = one('middlewares', '{plugin: {geo: {allow: [DE]}}}');
    expect(value).toEqual({ plugin: { geo: { allow: ['DE'] } } });
    expect(diagnostics).toMatchObject([
      { severity: 'warning', code: 'not-supported', path: 'http.middlewares.x.plugin' },
    ]);
  });

  it('reports unknown keys above the objects without rejecting any object', () => {
    const { config, rejected, diagnostics } = decodeDynamic(
      'a.yml',
      'entryPoints: {}\nhttp: {routers: {a: {rule: x, service: s}}, midlewares: {}}\n',
    );
    expect(Object.keys(config?.http.routers ?? {})).toEqual(['a']);
    expect(rejected).toEqual([]);
    expect(diagnostics).toMatchObject([
      { code: 'unknown-key', path: 'entryPoints', hint: expect.stringContaining('static file') },
      { code: 'unknown-key', path: 'http.midlewares', hint: 'did you mean `middlewares`?' },
    ]);
  });

  it.each(['ht', 'http: rou', 'http:\n  routers: x\n', 'http: [', '- a', 'tls: {certificates: {certFile: a}}'])(
    'has no configuration for the broken skeleton %j, so that the last good one can stay',
    (text) => {
      const { config, diagnostics } = decodeDynamic('a.yml', text);
      expect(config).toBeNull();
      expect(diagnostics.some(({ severity }) => severity === 'error')).toBe(true);
    },
  );

  it('rejects a certificate by its index', () => {
    const { config, rejected } = decodeDynamic(
      'a.yml',
      'tls: {certificates: [{certFile: a}, {certFile: a, keyFile: b}]}',
    );
    expect(config?.tls.certificates).toEqual([{ certFile: 'a', keyFile: 'b' }]);
    expect(rejected).toMatchObject([{ kind: 'tlsCertificate', name: '0', diagnostics: [{ code: 'missing-key' }] }]);
  });

  it('decodes the tls section', () => {
    const { config, diagnostics } = decodeDynamic(
      'a.yml',
      'tls: {options: {default: {minVersion: VersionTLS13, clientAuth: {caFiles: [a], clientAuthType: VerifyClientCertIfGiven}}}, stores: {default: {defaultGeneratedCert: {resolver: r, domain: {main: x}}}}}',
    );
    expect(diagnostics).toEqual([]);
    expect(config?.tls.options.default).toEqual({
      minVersion: 'VersionTLS13',
      clientAuth: { caFiles: ['a'], clientAuthType: 'VerifyClientCertIfGiven' },
      sniStrict: false,
      alpnProtocols: ['h2', 'http/1.1', 'acme-tls/1'],
      disableSessionTickets: false,
    });
    expect(config?.tls.stores.default).toEqual({ defaultGeneratedCert: { resolver: 'r', domain: { main: 'x' } } });
  });

  it('decodes tcp and udp', () => {
    const { config, diagnostics } = decodeDynamic(
      'a.yml',
      `tcp:
  routers: {db: {rule: HostSNI(\`*\`), service: db, tls: {passthrough: true}}}
  services: {db: {loadBalancer: {servers: [{address: 10.0.0.1:5432}], healthCheck: {}}}}
  middlewares: {few: {inFlightConn: {amount: 5}}}
udp:
  routers: {dns: {entryPoints: [dns], service: dns}}
  services: {dns: {loadBalancer: {servers: [{address: 10.0.0.1:53}]}}}
`,
    );
    expect(diagnostics).toEqual([]);
    expect(config?.tcp.routers.db?.tls?.passthrough).toBe(true);
    expect(config?.tcp.services.db?.loadBalancer?.healthCheck).toEqual({ interval: 30_000, timeout: 5000 });
    expect(config?.udp.services.dns?.loadBalancer?.servers).toEqual([{ address: '10.0.0.1:53' }]);
  });

  it('stops at aliases that multiply or contain themselves', () => {
    const levels = Array.from(
      { length: 10 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(', ')}]`,
    );
    const bomb = `l0: &l0 [x]\n${levels.join('\n')}\nhttp: {middlewares: {m: {plugin: {p: *l10}}}}\n`;
    expect(decodeDynamic('a.yml', bomb).diagnostics.map(({ code }) => code)).toContain('too-many-values');
    const ring = 'http: {middlewares: {m: {plugin: {p: &r {again: *r}}}}}';
    expect(decodeDynamic('a.yml', ring).config).toBeNull();
  });

  it('is not fooled by names of the object prototype', () => {
    const { config, diagnostics } = decodeDynamic(
      'a.yml',
      'http: {routers: {__proto__: {rule: x, service: s}, constructor: {rule: x, service: s}, toString: {rule: x, service: s}}}',
    );
    expect(Object.keys(config?.http.routers ?? {})).toEqual(['constructor', 'toString']);
    expect(diagnostics.map(({ code }) => code)).toEqual(['bad-name']);
    expect(({} as Record<string, unknown>).rule).toBeUndefined();
  });

  it('gives up a file with more findings than anybody reads', () => {
    const bad = Array.from({ length: 5000 }, (_, i) => `    s${i}: {loadBalancer: {servers: *bad}}`).join('\n');
    const text = `http:\n  services:\n    s: {loadBalancer: {servers: &bad [{a: 1}, {b: 1}, {c: 1}, {d: 1}, {e: 1}]}}\n${bad}\n`;
    const { config, diagnostics } = decodeDynamic('a.yml', text);
    expect(config).toBeNull();
    expect(diagnostics.length).toBeLessThanOrEqual(20_001);
    expect(diagnostics.at(-1)?.code).toBe('too-many-values');
  });

  it('decodes thousands of routers', () => {
    let text = 'http:\n  routers:\n';
    for (let i = 0; i < 5000; i++) text += `    r${i}: {rule: "Host(\`h${i}.example\`)", service: s${i}, tls: {}}\n`;
    const { config, diagnostics } = decodeDynamic('a.yml', text);
    expect(diagnostics).toEqual([]);
    expect(Object.keys(config?.http.routers ?? {})).toHaveLength(5000);
  });
});
