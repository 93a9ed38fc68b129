import { describe, expect, it } from 'vitest';
import { buildSnapshot } from '../../../src/control/build/build-snapshot.ts';
import type { CertificateSnapshot } from '../../../src/core/snapshot.ts';
import { makeCa } from '../../support/certs.ts';
import { build, type Files, GENERATED, inputOf, NOW, STATIC } from './harness.ts';

const RESOLVERS = `certificatesResolvers:
  internal:
    acme: {email: a@b.c, httpChallenge: {entryPoint: web}}
  other:
    acme: {email: a@b.c, httpChallenge: {entryPoint: web}}
  dns:
    acme: {email: a@b.c, dnsChallenge: {provider: exec}}
`;

/** Routers by name: their rule, and what follows `tls:`. */
function routers(list: Readonly<Record<string, readonly [rule: string, tls: string]>>, more = ''): string {
  const lines = Object.entries(list).map(
    ([name, [rule, tls]]) =>
      `    ${name}: {rule: "${rule}", service: app, entryPoints: [websecure]${tls === '' ? '' : `, tls: ${tls}`}}\n`,
  );
  return `http:\n  routers:\n${lines.join('')}  services:\n    app: {loadBalancer: {servers: [{url: "http://127.0.0.1:1"}]}}\n${more}`;
}

function wish(dynamic: string, files: Files = {}) {
  const { wanted, diagnostics } = build(dynamic, { static: `${STATIC}${RESOLVERS}`, ...files });
  return {
    sets: wanted.map(({ resolver, main, sans }) => [resolver, main, ...sans].join(' ')),
    wanted,
    found: diagnostics.filter(({ code }) => code.startsWith('acme-')),
  };
}

describe('which certificates are ordered', () => {
  it('takes tls.domains, one certificate for each entry, else the hosts of the rule in one', () => {
    const { sets } = wish(
      routers({
        a: ['Host(`A.x`) || Host(`b.x`)', '{certResolver: internal}'],
        b: ['Host(`ignored.x`)', '{certResolver: internal, domains: [{main: c.x, sans: [d.x]}, {main: e.x}]}'],
        c: ['Host(`none.x`)', '{}'],
        d: ['Host(`plain.x`)', ''],
        e: ['Host(`127.0.0.1`)', '{certResolver: internal}'],
      }),
    );
    expect(sets).toEqual(['internal a.x b.x', 'internal c.x d.x', 'internal 127.0.0.1', 'internal e.x']);
  });

  it('orders a set once, however many routers and entry points want it, and says for whom', () => {
    const { wanted, found } = wish(
      routers({
        a: ['Host(`a.x`) && PathPrefix(`/1`)', '{certResolver: internal}'],
        b: ['PathPrefix(`/2`) && Host(`a.x`)', '{certResolver: internal}'],
      }),
    );
    expect(wanted).toEqual([{ resolver: 'internal', main: 'a.x', sans: [], for: ['a@file', 'b@file'] }]);
    expect(found).toEqual([]);
  });

  it('leaves out a set that a larger one or a certificate file covers, and says which', () => {
    const { cert, key } = makeCa().issue({ sans: ['*.files.x'], notAfter: new Date(NOW + 365 * 86_400_000) });
    const { sets, found } = wish(
      routers(
        {
          a: ['Host(`a.x`)', '{certResolver: internal}'],
          b: ['Host(`a.x`) || Host(`b.x`)', '{certResolver: internal}'],
          c: ['Host(`one.files.x`)', '{certResolver: internal}'],
          d: ['Host(`one.two.files.x`)', '{certResolver: internal}'],
          e: ['Host(`one.w.x`)', '{certResolver: dns}'],
          f: ['Host(`*.w.x`)', '{certResolver: dns, domains: [{main: "*.w.x"}]}'],
        },
        'tls: {certificates: [{certFile: /c.pem, keyFile: /k.pem}]}\n',
      ),
      { static: `${STATIC}${RESOLVERS}`, referenced: { '/c.pem': cert, '/k.pem': key } },
    );
    expect(sets).toEqual(['dns *.w.x', 'internal a.x b.x', 'internal one.two.files.x']);
    expect(found.map(({ severity, code, message }) => `${severity} ${code} ${message}`)).toEqual([
      'info acme-covered no certificate is ordered for a.x: what is ordered for b@file covers it',
      'info acme-covered no certificate is ordered for one.files.x: the certificate /c.pem covers it',
      'info acme-covered no certificate is ordered for one.w.x: what is ordered for f@file covers it',
    ]);
    expect(found[0]).toMatchObject({ file: 'a.yml', line: 3, column: 9 });
  });

  it('orders what only an expired file covers', () => {
    const { cert, key } = makeCa().issue({
      sans: ['a.x'],
      notBefore: new Date(NOW - 9e9),
      notAfter: new Date(NOW - 1e9),
    });
    const { sets } = wish(
      routers(
        { a: ['Host(`a.x`)', '{certResolver: internal}'] },
        'tls: {certificates: [{certFile: /c.pem, keyFile: /k.pem}]}\n',
      ),
      { static: `${STATIC}${RESOLVERS}`, referenced: { '/c.pem': cert, '/k.pem': key } },
    );
    expect(sets).toEqual(['internal a.x']);
  });

  it('says where a rule names no host: negated, a regular expression, a path', () => {
    const { sets, found } = wish(
      routers({
        a: ['!Host(`a.x`)', '{certResolver: internal}'],
        b: ['HostRegexp(`^.+[.]x$`)', '{certResolver: internal}'],
        c: ['Host(`c.x`) || HostRegexp(`^d`)', '{certResolver: internal}'],
        d: ['Host(`e.x`) && !Host(`f.x`)', '{certResolver: internal}'],
      }),
    );
    expect(sets).toEqual(['internal c.x', 'internal e.x']);
    expect(found).toMatchObject(
      [
        { severity: 'warning', line: 3, column: 9, message: /router "a@file": the rule names no host/ },
        { severity: 'warning', line: 4, message: /router "b@file": a regular expression does not say/ },
        { severity: 'info', line: 5, message: /HostRegexp\(`\^d`\)/ },
      ].map(({ message, ...rest }) => ({
        ...rest,
        code: 'acme-no-domain',
        message: expect.stringMatching(message),
        hint: expect.any(String),
      })),
    );
  });

  it('says which names cannot be ordered: wildcards without dnsChallenge, and what is no name', () => {
    const { sets, found } = wish(
      routers({
        a: ['Host(`a.x`)', '{certResolver: internal, domains: [{main: a.x, sans: ["*.a.x", "b x"]}]}'],
        b: ['Host(`a.x`)', '{certResolver: internal, domains: [{main: "*.b.x"}]}'],
        c: ['Host(`c.x`)', '{certResolver: internal, domains: [{main: "bücher.x"}]}'],
      }),
    );
    expect(sets).toEqual(['internal a.x', 'internal xn--bcher-kva.x']);
    expect(found.map(({ code, line, path }) => [code, line, path])).toEqual([
      ['acme-wildcard', 3, 'http.routers.a.tls.domains[0]'],
      ['acme-bad-domain', 3, 'http.routers.a.tls.domains[0]'],
      ['acme-wildcard', 4, 'http.routers.b.tls.domains[0]'],
    ]);
  });

  it('asks the first of two resolvers, and names the other', () => {
    const { sets, found } = wish(
      routers({ a: ['Host(`a.x`)', '{certResolver: internal}'], b: ['Host(`a.x`)', '{certResolver: other}'] }),
    );
    expect(sets).toEqual(['internal a.x']);
    expect(found).toMatchObject([{ severity: 'warning', code: 'acme-two-resolvers', line: 4 }]);
  });

  it('orders nothing for a router that is disabled, or whose resolver does not exist', () => {
    const dynamic = routers({ a: ['Host(`a.x`)', '{certResolver: nobody}'] });
    expect(wish(dynamic).sets).toEqual([]);
    expect(wish(routers({ a: ['Hots(`a.x`)', '{certResolver: internal}'] })).sets).toEqual([]);
  });
});

describe('what an entry point asks for', () => {
  const asking = (tls: string) =>
    `entryPoints:\n  web: {address: ":80", http: {redirections: {entryPoint: {to: websecure}}}}\n  websecure:\n    address: ":443"\n    http:\n      tls: ${tls}\nproviders: {file: {directory: /d}}\n${RESOLVERS}`;

  it('is ordered for each router that says nothing of TLS', () => {
    const dynamic = routers({ a: ['Host(`a.x`)', ''], b: ['Host(`b.x`)', '{}'] });
    const { sets, found } = wish(dynamic, { static: asking('{certResolver: internal}') });
    expect(sets).toEqual(['internal a.x']);
    expect(found).toEqual([]);
  });

  it('is its own domains where it names some', () => {
    const dynamic = routers({ a: ['Host(`a.x`)', ''], b: ['PathPrefix(`/`)', ''] });
    const { wanted } = wish(dynamic, {
      static: asking('{certResolver: internal, domains: [{main: m.x, sans: [n.x]}]}'),
    });
    expect(wanted).toEqual([{ resolver: 'internal', main: 'm.x', sans: ['n.x'], for: ['a@file', 'b@file'] }]);
  });

  it('has its findings at its own place', () => {
    const { found } = wish(routers({ a: ['Host(`a.x`)', ''] }), {
      static: asking('{certResolver: internal, domains: [{main: "*.x"}]}'),
    });
    expect(found).toMatchObject([
      { code: 'acme-wildcard', file: 'traefik.yml', path: 'entryPoints.websecure.http.tls.domains[0]' },
    ]);
  });
});

describe('certificates that resolvers have issued', () => {
  const issued = (names: readonly string[], notAfter = NOW + 1000): CertificateSnapshot => ({
    ...GENERATED,
    fingerprint: names.join(),
    names,
    notAfter,
    origin: 'acme internal',
    resolver: 'internal',
  });
  const dynamic = routers(
    { a: ['Host(`a.x`)', '{certResolver: internal}'] },
    'tls: {stores: {default: {defaultGeneratedCert: {resolver: internal, domain: {main: d.x, sans: [e.x]}}}}}\n',
  );
  const input = inputOf(dynamic, { static: `${STATIC}${RESOLVERS}` });

  it('are served; defaultGeneratedCert is ordered, and is the default one when it is there', () => {
    const before = buildSnapshot(input);
    expect(before.wanted.map(({ main, sans }) => [main, ...sans])).toEqual([['d.x', 'e.x'], ['a.x']]);
    expect(before.snapshot.tls.defaultCertificate).toEqual(GENERATED);
    const a = issued(['a.x']);
    const d = issued(['d.x', 'e.x']);
    const { snapshot, wanted, diagnostics } = buildSnapshot({
      ...input,
      issued: [
        { resolver: 'internal', names: ['a.x'], certificate: a },
        { resolver: 'internal', names: ['e.x', 'd.x'], certificate: d },
      ],
    });
    expect(snapshot.tls.certificates).toEqual([a, d]);
    expect(snapshot.tls.defaultCertificate).toEqual(d);
    // It does not cover itself: that would end its renewal.
    expect(wanted).toEqual(before.wanted);
    expect(diagnostics).toEqual(before.diagnostics);
  });

  it('go on being served when they have expired, with a loud word', () => {
    const { snapshot, diagnostics } = buildSnapshot({
      ...input,
      issued: [{ resolver: 'internal', names: ['a.x'], certificate: issued(['a.x'], NOW - 1) }],
    });
    expect(snapshot.tls.certificates).toHaveLength(1);
    expect(diagnostics).toMatchObject(
      [{ severity: 'warning', code: 'acme-certificate-expired', message: /a\.x/ }].map((d) => ({
        ...d,
        message: expect.stringMatching(d.message),
      })),
    );
  });

  it('name the resolver that does not exist, and the half of a wish', () => {
    const store = (wishes: string) =>
      build(`tls: {stores: {default: {defaultGeneratedCert: ${wishes}}}}\n`, { static: `${STATIC}${RESOLVERS}` });
    expect(store('{resolver: interna, domain: {main: a.x}}').diagnostics).toMatchObject([
      { code: 'unknown-cert-resolver', hint: 'did you mean `internal`?', line: 1 },
    ]);
    expect(store('{resolver: internal}').diagnostics).toMatchObject([{ code: 'missing-key', line: 1 }]);
  });
});
