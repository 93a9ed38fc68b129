import { describe, expect, it } from 'vitest';
import { decodeStatic } from '../../../src/core/config/load-static.ts';

const PROVIDER = 'providers: {file: {directory: /d}}\n';

function fromFile(text: string, name = 'traefik.yml') {
  return decodeStatic({ file: { name, text }, flags: [], env: {} });
}

function fromFlags(...flags: string[]) {
  return decodeStatic({ flags: ['--providers.file.directory=/d', ...flags], env: {} });
}

function fromEnv(env: Record<string, string>) {
  return decodeStatic({ flags: ['--providers.file.directory=/d'], env });
}

describe('decodeStatic from a file', () => {
  it("fills in Traefik's defaults", () => {
    const { config, diagnostics } = fromFile(`${PROVIDER}entryPoints: {web: {address: ":80"}}\n`);
    expect(diagnostics).toEqual([]);
    expect(config).toMatchObject({
      providers: { providersThrottleDuration: 2000, file: { directory: '/d', watch: true, poll: 0 } },
      log: { level: 'INFO', format: 'common' },
      entryPoints: {
        web: {
          address: ':80',
          asDefault: false,
          http: { middlewares: [], sanitizePath: true, maxHeaderBytes: 65_536 },
          forwardedHeaders: { insecure: false, trustedIPs: [] },
          transport: {
            respondingTimeouts: { readTimeout: 60_000, writeTimeout: 0, idleTimeout: 180_000 },
            lifeCycle: { requestAcceptGraceTimeout: 0, graceTimeOut: 10_000 },
          },
        },
      },
      serversTransport: { forwardingTimeouts: { dialTimeout: 30_000, idleConnTimeout: 90_000 } },
    });
    expect(config).not.toHaveProperty('api');
    expect(config).not.toHaveProperty('accessLog');
  });

  it('makes the entry point http on :80 where none is configured', () => {
    expect(Object.entries(fromFile(PROVIDER).config?.entryPoints ?? {})).toMatchObject([['http', { address: ':80' }]]);
  });

  it.each(['api: {insecure: true}', 'ping: {}'])('makes the entry point traefik on :8080 for %s', (text) => {
    const { config } = fromFile(`${PROVIDER}entryPoints: {web: {address: ":80"}}\n${text}\n`);
    expect(config?.entryPoints.traefik?.address).toBe(':8080');
  });

  it.each([
    ['pings: {}\n', 'unknown-key', 'did you mean `ping`?'],
    ['entryPoints: {web: {adress: ":80"}}\n', 'unknown-key', 'did you mean `address`?'],
    ['entryPoints: {web: {address: "80"}}\n', 'bad-address', undefined],
    ['entryPoints: {web: {}}\n', 'missing-key', undefined],
    ['entryPoints: {a: {address: ":80"}, b: {address: ":80"}}\n', 'address-taken', undefined],
    [
      'entryPoints: {web: {address: ":80", http: {redirections: {entryPoint: {to: websecur}}}}, websecure: {address: ":443"}}\n',
      'unknown-entry-point',
      'did you mean `websecure`?',
    ],
    ['ping: {entryPoint: nowhere}\n', 'unknown-entry-point', undefined],
    ['log: {level: loud}\n', 'bad-value', undefined],
  ])('has an error with its place for %j', (text, code, hint) => {
    const { diagnostics } = fromFile(PROVIDER + text);
    const found = diagnostics.find((d) => d.code === code);
    expect(found).toMatchObject({ severity: 'error', file: 'traefik.yml', line: 2 });
    if (hint !== undefined) expect(found?.hint).toBe(hint);
  });

  it.each([
    ['metrics: {prometheus: {}}', 'metrics'],
    ['tracing: {otlp: {http: {endpoint: "http://x"}}}', 'tracing'],
    ['certificatesResolvers: {r: {tailscale: {}}}', 'certificatesResolvers.r.tailscale'],
    ['providers: {file: {directory: /d}, docker: {exposedByDefault: false}}', 'providers.docker'],
    ['entryPoints: {web: {address: ":80", proxyProtocol: {trustedIPs: [10.0.0.1]}}}', 'entryPoints.web.proxyProtocol'],
    ['core: {defaultRuleSyntax: v2}', 'core.defaultRuleSyntax'],
    ['experimental: {plugins: {x: {moduleName: y, version: v1}}}', 'experimental'],
  ])('accepts %s with a warning that names it', (text, path) => {
    const { config, diagnostics } = fromFile(text);
    expect(config).not.toBeNull();
    expect(diagnostics).toContainEqual(
      expect.objectContaining({
        severity: 'warning',
        code: 'not-acted-on',
        path,
        message: expect.stringContaining(path),
      }),
    );
  });

  it('only mentions settings that can never mean anything here', () => {
    const { diagnostics } = fromFile(`${PROVIDER}global: {checkNewVersion: true, sendAnonymousUsage: false}\n`);
    expect(diagnostics.map(({ severity, path }) => [severity, path])).toEqual([
      ['info', 'global.checkNewVersion'],
      ['info', 'global.sendAnonymousUsage'],
    ]);
  });

  it('warns of a null section that would have switched something on', () => {
    const { config, diagnostics } = fromFile(`${PROVIDER}ping:\n`);
    expect(config).not.toHaveProperty('ping');
    expect(diagnostics).toMatchObject([{ code: 'null-section', line: 2, hint: expect.stringContaining('ping: {}') }]);
  });

  it('has no configuration after a syntax error', () => {
    const { config, diagnostics } = fromFile('entryPoints:\n  web: [\n');
    expect(config).toBeNull();
    expect(diagnostics).toContainEqual(expect.objectContaining({ code: 'syntax' }));
  });

  it('reads TOML', () => {
    const { config, diagnostics } = fromFile(
      '[entryPoints.web]\naddress = ":8000"\n[providers.file]\ndirectory = "/d"\npoll = "2s"\n',
      'traefik.toml',
    );
    expect(diagnostics).toEqual([]);
    expect(config?.entryPoints.web?.address).toBe(':8000');
    expect(config?.providers.file?.poll).toBe(2000);
  });
});

describe('decodeStatic from flags', () => {
  it.each([
    ['with an equals sign', ['--entryPoints.web.address=:81']],
    ['with the value as the next argument', ['--entryPoints.web.address', ':81']],
    ['in lower case', ['--entrypoints.web.address=:81']],
    ['with one dash', ['-entryPoints.web.address=:81']],
  ])('takes a value %s', (_, flags) => {
    const { config, diagnostics } = fromFlags(...flags);
    expect(diagnostics).toEqual([]);
    expect(config?.entryPoints).toMatchObject({ web: { address: ':81' } });
  });

  it('switches sections on and off with bare flags', () => {
    const { config, diagnostics } = fromFlags(
      '--api',
      '--ping',
      '--accesslog',
      '--api.insecure',
      '--api.dashboard=false',
    );
    expect(diagnostics).toEqual([]);
    expect(config?.api).toMatchObject({ insecure: true, dashboard: false });
    expect(config?.ping).toMatchObject({ entryPoint: 'traefik' });
    expect(config?.accessLog).toMatchObject({ format: 'common' });
  });

  it('takes lists by commas, by repetition and by index', () => {
    const { config, diagnostics } = fromFlags(
      '--entryPoints.web.address=:80',
      '--entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.0/8, 127.0.0.1',
      '--entryPoints.web.forwardedHeaders.trustedIPs=::1',
      '--entryPoints.web.http.tls.domains[0].main=a.example',
      '--entryPoints.web.http.tls.domains[0].sans=b.example,c.example',
      '--entryPoints.web.http.tls.domains[1].main=d.example',
    );
    expect(diagnostics).toEqual([]);
    expect(config?.entryPoints.web?.forwardedHeaders.trustedIPs).toEqual(['10.0.0.0/8', '127.0.0.1', '::1']);
    expect(config?.entryPoints.web?.http.tls?.domains).toEqual([
      { main: 'a.example', sans: ['b.example', 'c.example'] },
      { main: 'd.example' },
    ]);
  });

  it('leaves the flags that say where the file is to the command', () => {
    expect(fromFlags('--configFile=/x', '--config', '/y').diagnostics).toEqual([]);
  });

  it.each([
    [['--log.levl=DEBUG'], 'unknown-flag', 'did you mean `--log.level`?'],
    [['--nonsense'], 'unknown-flag', undefined],
    [['word'], 'bad-flag', undefined],
    [['--entryPoints.web.address'], 'bad-flag', undefined],
    [['--workers=many'], 'wrong-type', undefined],
    [['--workers=0'], 'bad-value', undefined],
    [['--entryPoints.web.http.tls.domains[99999].main=x'], 'unknown-flag', undefined],
  ])('reports %j', (flags, code, hint) => {
    const { diagnostics } = fromFlags(...flags);
    const found = diagnostics.find((d) => d.code === code);
    expect(found).toMatchObject({ severity: 'error', file: 'command line' });
    if (hint !== undefined) expect(found?.hint).toBe(hint);
  });
});

describe('decodeStatic from the environment', () => {
  it('reads variables whatever their case, and nothing that is not its own', () => {
    const { config, diagnostics } = fromEnv({
      TRAEFIK_ENTRYPOINTS_WEB_ADDRESS: ':82',
      traefik_log_level: 'debug',
      TRAEFIK_PING: 'true',
      PATH: '/bin',
    });
    expect(diagnostics).toEqual([]);
    expect(config).toMatchObject({ entryPoints: { web: { address: ':82' } }, log: { level: 'DEBUG' }, ping: {} });
  });

  it('finds names with underscores', () => {
    const { config, diagnostics } = fromEnv({
      TRAEFIK_ENTRYPOINTS_MY_WEB_ADDRESS: ':82',
      TRAEFIK_ENTRYPOINTS_MY_WEB_HTTP_TLS_DOMAINS_0_MAIN: 'a.example',
    });
    expect(diagnostics).toEqual([]);
    expect(config?.entryPoints).toMatchObject({
      my_web: { address: ':82', http: { tls: { domains: [{ main: 'a.example' }] } } },
    });
  });

  it('names an unknown variable and the one that was probably meant', () => {
    expect(fromEnv({ TRAEFIK_LOG_LEVL: 'x' }).diagnostics).toMatchObject([
      {
        severity: 'error',
        code: 'unknown-variable',
        message: expect.stringContaining('TRAEFIK_LOG_LEVL'),
        hint: 'did you mean TRAEFIK_LOG_LEVEL?',
      },
    ]);
  });

  it('passes over what names no section, as Kubernetes sets it, and says so', () => {
    const others = { TRAEFIK_PORT: 'tcp://10.0.0.1:80', TRAEFIK_SERVICE_HOST: '10.0.0.1', TRAEFIK_BIN: '/traefik' };
    const { config, diagnostics } = fromEnv({ ...others, TRAEFIK_LOG_LEVEL: 'DEBUG', TRAEFIK_ENTRYPOINT_WEB: ':80' });
    expect(config).toMatchObject({ log: { level: 'DEBUG' } });
    expect(diagnostics.map(({ severity, code }) => `${severity} ${code}`)).toEqual(
      Array(4).fill('warning unknown-variable'),
    );
    expect(diagnostics.find(({ message }) => message.includes('TRAEFIK_ENTRYPOINT_WEB'))?.hint).toBe(
      'did you mean TRAEFIK_ENTRYPOINTS?',
    );
  });
});

describe('decodeStatic from several sources', () => {
  const file = {
    name: 'traefik.yml',
    text: `${PROVIDER}log: {level: INFO, format: json}\napi: {}\nentryPoints: {webSecure: {address: ":443", asDefault: true}}\n`,
  };

  it('lets flags win over variables, and these over the file', () => {
    const { config, diagnostics } = decodeStatic({
      file,
      env: { TRAEFIK_LOG_LEVEL: 'WARN', TRAEFIK_ENTRYPOINTS_WEBSECURE_ADDRESS: ':8443' },
      flags: ['--log.level=DEBUG'],
    });
    expect(diagnostics).toEqual([]);
    expect(config?.log).toMatchObject({ level: 'DEBUG', format: 'json' });
    // A variable can only say websecure; the file's entry point is meant.
    expect(config?.entryPoints).toMatchObject({ webSecure: { address: ':8443', asDefault: true } });
    expect(Object.keys(config?.entryPoints ?? {})).toEqual(['webSecure']);
  });

  it('lets a flag switch off what the file has', () => {
    expect(decodeStatic({ file, env: {}, flags: ['--api=false'] }).config).not.toHaveProperty('api');
  });

  it('says which source is wrong', () => {
    const { diagnostics } = decodeStatic({ file, env: {}, flags: ['--entryPoints.webSecure.address=443'] });
    expect(diagnostics).toMatchObject([{ code: 'bad-address', file: 'command line' }]);
  });
});
