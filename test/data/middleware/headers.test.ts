import { describe, expect, it } from 'vitest';
import { FakeUpstream } from '../../support/fake-client.ts';
import { compile } from './run.ts';

describe('customRequestHeaders', () => {
  it('sets, replaces and removes', () => {
    const { exchange } = compile({
      headers: { customRequestHeaders: { 'X-New': ' a ', 'X-Replaced': 'ours', 'X-Gone': '', 'X-Absent': '' } },
    }).run({ headers: ['x-replaced', '1', 'X-REPLACED', '2', 'x-gone', 'y', 'X-Kept', 'z'] });
    expect(exchange.headers.get('x-new')).toBe('a');
    expect(exchange.headers.getAll('x-replaced')).toEqual(['ours']);
    expect(exchange.headers.has('x-gone')).toBe(false);
    expect(exchange.headers.get('x-kept')).toBe('z');
  });

  it('what a client writes with `_` for `-` is replaced and removed too', () => {
    const { exchange } = compile({ headers: { customRequestHeaders: { 'X-Is-Ours': 'ours', 'X-Is-Gone': '' } } }).run({
      headers: ['X_Is_Ours', '1', 'x-is_ours', '2', 'X_IS-GONE', '3', 'X_Is_Kept', '4'],
    });
    const fields: string[] = [];
    exchange.headers.forEach((name, value) => void fields.push(`${name}: ${value}`));
    expect(fields.slice(1)).toEqual(['X_Is_Kept: 4', 'X-Is-Ours: ours']);
  });

  it('sets the authority by Host', () => {
    const { exchange } = compile({ headers: { customRequestHeaders: { host: 'Inner.example:8080' } } }).run();
    expect([exchange.authority, exchange.host]).toEqual(['Inner.example:8080', 'inner.example']);
  });

  it.each([
    [{ authority: 'outer.example' }, 'outer.example', '80'],
    [{ authority: 'outer.example', tls: true }, 'outer.example', '443'],
    [{ authority: '[::1]:8443', tls: true }, '[::1]:8443', '8443'],
    [{ authority: '[::1]', headers: ['X-Forwarded-Host', 'a', 'X-Forwarded-Port', '1'] }, 'a', '1'],
  ])('keeps what the client asked for in X-Forwarded-Host and -Port: %j', (request, host, port) => {
    const { exchange } = compile({ headers: { customRequestHeaders: { Host: 'inner.example:8080' } } }).run(request);
    expect(exchange.headers.getAll('x-forwarded-host')).toEqual([host]);
    expect(exchange.headers.getAll('x-forwarded-port')).toEqual([port]);
  });

  it('an empty Host does nothing', () => {
    const { exchange } = compile({ headers: { customRequestHeaders: { Host: '' } } }).run();
    expect(exchange.authority).toBe('example.com');
  });

  it.each(['a b', 'a/b', 'user@a', 'a:b', 'a\r\nX: y', '[::1', 'ü.example'])('refuses the host %j', (host) => {
    expect(() => compile({ headers: { customRequestHeaders: { Host: host } } })).toThrow(/Host/);
  });

  it('sends what is not ASCII as UTF-8', () => {
    const { exchange } = compile({ headers: { customRequestHeaders: { 'X-A': 'ä€' } } }).run();
    expect(exchange.headers.get('x-a')).toBe(Buffer.from('ä€').toString('latin1'));
  });

  it.each([
    [{ 'X-A': 'a\r\nX-B: c' }, 'control character'],
    [{ 'X-A': 'a\0b' }, 'control character'],
    [{ 'X-A\r\nX-B': 'a' }, 'is not a header name'],
    [{ 'X A': 'a' }, 'is not a header name'],
    [{ 'X-Ä': 'a' }, 'is not a header name'],
    [{ '': 'a' }, 'is not a header name'],
  ])('refuses %j', (map, message) => {
    expect(() => compile({ headers: { customRequestHeaders: map } })).toThrow(message);
    expect(() => compile({ headers: { customResponseHeaders: map } })).toThrow(message);
  });

  it('cannot change the framing, and says so', () => {
    const compiled = compile({
      headers: {
        customRequestHeaders: { 'Content-Length': '5', 'transfer-encoding': 'chunked', Connection: 'x', 'X-A': 'b' },
      },
    });
    const { exchange } = compiled.run();
    expect(exchange.headers.has('content-length')).toBe(false);
    expect(exchange.headers.has('transfer-encoding')).toBe(false);
    expect(exchange.headers.get('x-a')).toBe('b');
    expect(compiled.warnings).toHaveLength(3);
    expect(compiled.warnings[0]).toContain('Content-Length is made by the proxy');
  });
});

describe('customResponseHeaders', () => {
  it('sets, replaces and removes', () => {
    const { client } = compile({
      headers: { customResponseHeaders: { 'X-New': 'a', Server: '', 'X-Replaced': 'ours' } },
    }).run({}, new FakeUpstream(200, ['Server', 'secret', 'x-replaced', '1', 'X-Replaced', '2', 'X-Kept', 'z']));
    expect(client.header('x-new')).toBe('a');
    expect(client.started?.headers.getAll('x-replaced')).toEqual(['ours']);
    expect(client.header('server')).toBeUndefined();
    expect(client.header('x-kept')).toBe('z');
  });
});

describe('CORS', () => {
  const preflight = {
    method: 'OPTIONS',
    headers: [
      'Origin',
      'https://app.example',
      'Access-Control-Request-Method',
      'PUT',
      'Access-Control-Request-Headers',
      'x-a, x-b',
    ],
  };

  it('answers a preflight itself, with what is allowed', () => {
    const { client, upstream } = compile({
      headers: {
        accessControlAllowMethods: ['GET', 'PUT'],
        accessControlAllowHeaders: ['X-A', 'X-B'],
        accessControlAllowOriginList: ['https://other.example', 'https://app.example'],
        accessControlAllowCredentials: true,
        accessControlMaxAge: 100,
        customResponseHeaders: { 'X-Not-Here': 'x' },
        frameDeny: true,
      },
    }).run(preflight);
    expect(upstream.called).toBe(false);
    expect(client.status).toBe(200);
    expect(client.body).toBe('');
    const seen: Record<string, string> = {};
    client.started?.headers.forEach((name, value) => {
      seen[name] = value;
    });
    expect(seen).toEqual({
      'Access-Control-Allow-Credentials': 'true',
      'Access-Control-Allow-Headers': 'X-A,X-B',
      'Access-Control-Allow-Methods': 'GET,PUT',
      'Access-Control-Max-Age': '100',
      'Access-Control-Allow-Origin': 'https://app.example',
      'Content-Length': '0',
    });
  });

  it('says nothing of the origin to one that is not allowed', () => {
    const compiled = compile({ headers: { accessControlAllowOriginList: ['https://other.example'] } });
    expect(compiled.run(preflight).client.header('access-control-allow-origin')).toBeUndefined();
    const plain = compiled.run({ headers: ['Origin', 'https://app.example'] });
    expect(plain.client.header('access-control-allow-origin')).toBeUndefined();
  });

  it.each([
    ['no OPTIONS', { ...preflight, method: 'GET' }],
    ['no origin', { method: 'OPTIONS', headers: ['Access-Control-Request-Method', 'PUT'] }],
    ['no method asked for', { method: 'OPTIONS', headers: ['Origin', 'https://app.example'] }],
  ])('leaves the rest to the upstream: %s', (_what, request) => {
    expect(compile({ headers: { accessControlAllowOriginList: ['*'] } }).run(request).upstream.called).toBe(true);
  });

  it('leaves preflights to the upstream where no CORS option is set', () => {
    expect(compile({ headers: { customResponseHeaders: { A: 'b' } } }).run(preflight).upstream.called).toBe(true);
  });

  it('with credentials and "*" names what was asked for, but never any origin', () => {
    const compiled = compile({
      headers: {
        accessControlAllowCredentials: true,
        accessControlAllowHeaders: ['*'],
        accessControlAllowMethods: ['*'],
        accessControlAllowOriginList: ['*'],
      },
    });
    const { client } = compiled.run(preflight);
    expect(client.header('access-control-allow-headers')).toBe('x-a, x-b');
    expect(client.header('access-control-allow-methods')).toBe('PUT');
    expect(client.header('access-control-allow-origin')).toBe('*');
    expect(compiled.warnings[0]).toContain('browsers refuse');
  });

  it('tells a preflight of the exposed fields too', () => {
    const { client } = compile({ headers: { accessControlExposeHeaders: ['X-A', 'X-B'] } }).run({
      method: 'OPTIONS',
      headers: ['Origin', 'https://app.example', 'Access-Control-Request-Method', 'PUT'],
    });
    expect(client.header('access-control-expose-headers')).toBe('X-A,X-B');
  });

  it('changes the response of an allowed origin', () => {
    const { client } = compile({
      headers: {
        accessControlAllowOriginListRegex: ['^https://[a-z]+\\.example$'],
        accessControlExposeHeaders: ['X-A', 'X-B'],
        accessControlAllowCredentials: true,
      },
    }).run({ headers: ['Origin', 'https://app.example'] }, new FakeUpstream(200, ['Access-Control-Allow-Origin', '*']));
    expect(client.started?.headers.getAll('access-control-allow-origin')).toEqual(['https://app.example']);
    expect(client.header('access-control-expose-headers')).toBe('X-A,X-B');
    expect(client.header('access-control-allow-credentials')).toBe('true');
  });

  it('an expression does not match an absent origin', () => {
    const { client } = compile({ headers: { accessControlAllowOriginListRegex: ['.*'] } }).run();
    expect(client.header('access-control-allow-origin')).toBeUndefined();
  });

  it('"*" is answered even without an origin', () => {
    const { client } = compile({ headers: { accessControlAllowOriginList: ['*'] } }).run();
    expect(client.header('access-control-allow-origin')).toBe('*');
  });

  it.each([
    [[], 'Origin'],
    [['Vary', 'Accept-Encoding'], 'Accept-Encoding,Origin'],
    [['Vary', 'Origin'], 'Origin'],
    [['Vary', 'Accept, origin'], 'Accept, origin'],
    [['Vary', '*'], '*'],
    [['Vary', 'A', 'Vary', 'B'], 'A,B,Origin'],
  ])('addVaryHeader makes %j %j', (upstream, expected) => {
    const { client } = compile({ headers: { addVaryHeader: true } }).run({}, new FakeUpstream(200, upstream));
    expect(client.started?.headers.getAll('vary')).toEqual([expected]);
  });

  it('refuses an invalid expression', () => {
    expect(() => compile({ headers: { accessControlAllowOriginListRegex: ['('] } })).toThrow(
      'accessControlAllowOriginListRegex',
    );
  });

  it('refuses a value that would break the header', () => {
    expect(() => compile({ headers: { accessControlExposeHeaders: ['a\r\nb'] } })).toThrow('control character');
  });
});

describe('security headers', () => {
  it.each([
    [{ frameDeny: true }, 'x-frame-options', 'DENY'],
    [{ frameDeny: true, customFrameOptionsValue: 'SAMEORIGIN' }, 'x-frame-options', 'SAMEORIGIN'],
    [{ contentTypeNosniff: true }, 'x-content-type-options', 'nosniff'],
    [{ browserXssFilter: true }, 'x-xss-protection', '1; mode=block'],
    [{ browserXssFilter: true, customBrowserXSSValue: '0' }, 'x-xss-protection', '0'],
    [{ contentSecurityPolicy: "default-src 'self'" }, 'content-security-policy', "default-src 'self'"],
    [{ contentSecurityPolicyReportOnly: 'a' }, 'content-security-policy-report-only', 'a'],
    [{ referrerPolicy: 'same-origin' }, 'referrer-policy', 'same-origin'],
    [{ permissionsPolicy: 'camera=()' }, 'permissions-policy', 'camera=()'],
    [{ publicKey: 'pin' }, 'public-key-pins', undefined],
    [{ stsSeconds: 10 }, 'strict-transport-security', undefined],
    [{ stsSeconds: 10, forceSTSHeader: true }, 'strict-transport-security', 'max-age=10'],
    [{ stsSeconds: 0, forceSTSHeader: true }, 'strict-transport-security', undefined],
    [{ stsSeconds: 10, forceSTSHeader: true, isDevelopment: true }, 'strict-transport-security', undefined],
    [{ featurePolicy: 'x' }, 'feature-policy', undefined],
  ])('%j over plaintext: %s is %j', (config, name, expected) => {
    expect(compile({ headers: config }).run().client.header(name)).toBe(expected);
  });

  it.each([
    [{ stsSeconds: 10 }, 'strict-transport-security', 'max-age=10'],
    [
      { stsSeconds: 10, stsIncludeSubdomains: true, stsPreload: true },
      'strict-transport-security',
      'max-age=10; includeSubDomains; preload',
    ],
    [{ stsSeconds: 10, isDevelopment: true }, 'strict-transport-security', undefined],
    [{ publicKey: 'pin' }, 'public-key-pins', 'pin'],
    [{ publicKey: 'pin', isDevelopment: true }, 'public-key-pins', undefined],
  ])('%j over TLS: %s is %j', (config, name, expected) => {
    expect(compile({ headers: config }).run({ tls: true }).client.header(name)).toBe(expected);
  });

  it('replace what the upstream says, and custom response headers replace them', () => {
    const config = {
      frameDeny: true,
      contentTypeNosniff: true,
      customResponseHeaders: { 'X-Frame-Options': 'SAMEORIGIN' },
    };
    const { client } = compile({ headers: config }).run({}, new FakeUpstream(200, ['X-Content-Type-Options', 'other']));
    expect(client.started?.headers.getAll('x-frame-options')).toEqual(['SAMEORIGIN']);
    expect(client.started?.headers.getAll('x-content-type-options')).toEqual(['nosniff']);
  });

  it('sslProxyHeaders tell of TLS, X-Forwarded-Proto only from a trusted peer', () => {
    const compiled = compile({
      headers: { stsSeconds: 10, sslProxyHeaders: { 'X-Forwarded-Proto': 'https', 'X-Tls': 'on' } },
    });
    const sts = (headers: string[], trusted: boolean): string | undefined =>
      compiled.run({ headers, trusted }).client.header('strict-transport-security');
    expect(sts(['X-Forwarded-Proto', 'https'], true)).toBe('max-age=10');
    expect(sts(['X-Forwarded-Proto', 'https'], false)).toBeUndefined();
    expect(sts(['X-Tls', 'on'], false)).toBe('max-age=10');
    expect(sts(['X-Tls', 'off'], true)).toBeUndefined();
  });

  it('$NONCE becomes a new source for each response', () => {
    const compiled = compile({ headers: { contentSecurityPolicy: 'script-src $NONCE; style-src $NONCE' } });
    const first = compiled.run().client.header('content-security-policy');
    const second = compiled.run().client.header('content-security-policy');
    expect(first).toMatch(/^script-src ('nonce-[A-Za-z0-9+/]{22}=='); style-src \1$/);
    expect(second).not.toBe(first);
  });

  it('says which options have no effect', () => {
    const compiled = compile({ headers: { sslRedirect: true, sslHost: 'a', sslForceHost: false, frameDeny: true } });
    expect(compiled.warnings).toEqual([
      expect.stringContaining('headers.sslRedirect has no effect'),
      expect.stringContaining('headers.sslHost has no effect'),
    ]);
    expect(compiled.run().upstream.called).toBe(true);
  });

  it('refuses a value that would break the header', () => {
    expect(() => compile({ headers: { referrerPolicy: 'a\r\nSet-Cookie: x' } })).toThrow('control character');
    expect(() => compile({ headers: { contentSecurityPolicy: 'a\n$NONCE' } })).toThrow('control character');
    expect(() => compile({ headers: { hostsProxyHeaders: ['a b'], allowedHosts: ['a'] } })).toThrow('header name');
  });
});

describe('allowedHosts', () => {
  it('lets named hosts pass, in any case', () => {
    const compiled = compile({ headers: { allowedHosts: ['Example.com', 'b.example:8080'] } });
    expect(compiled.run({ authority: 'EXAMPLE.com' }).upstream.called).toBe(true);
    expect(compiled.run({ authority: 'b.example:8080' }).upstream.called).toBe(true);
  });

  it('refuses others as Traefik does, custom headers included and security headers not', () => {
    const config = { allowedHosts: ['a.example'], frameDeny: true, customResponseHeaders: { 'X-A': 'b' } };
    const { client, upstream } = compile({ headers: config }).run();
    expect(upstream.called).toBe(false);
    expect([client.status, client.body]).toEqual([500, 'Bad Host\n']);
    expect(client.header('x-a')).toBe('b');
    expect(client.header('x-frame-options')).toBeUndefined();
  });

  it('hostsProxyHeaders name the host, X-Forwarded-Host only from a trusted peer', () => {
    const compiled = compile({
      headers: { allowedHosts: ['a.example'], hostsProxyHeaders: ['X-Forwarded-Host', 'X-Host'] },
    });
    const headers = ['X-Forwarded-Host', 'a.example'];
    expect(compiled.run({ headers, trusted: true }).upstream.called).toBe(true);
    expect(compiled.run({ headers, trusted: false }).upstream.called).toBe(false);
    expect(compiled.run({ headers: ['X-Host', 'a.example'] }).upstream.called).toBe(true);
    expect(compiled.run({ authority: 'a.example', headers: ['X-Host', 'b.example'] }).upstream.called).toBe(false);
  });

  it('is off in development', () => {
    expect(compile({ headers: { allowedHosts: ['a'], isDevelopment: true } }).run().upstream.called).toBe(true);
  });
});

it('an empty headers middleware does nothing', () => {
  expect(compile({ headers: {} }).run().client.body).toBe('upstream');
});
