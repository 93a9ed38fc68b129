import { describe, expect, it } from 'vitest';
import type { Severity } from '../../../src/core/diagnostic.ts';
import { build, marked, STATIC } from './harness.ts';

interface Case {
  readonly symptom: string;
  /** `«` marks where the diagnostic has to point. */
  readonly yaml: string;
  readonly code: string;
  readonly severity?: Severity;
  readonly message: RegExp;
  readonly hint?: RegExp;
  /** Of the router `r`, if it is about one. */
  readonly status?: 'enabled' | 'warning' | 'disabled';
  readonly static?: string;
}

const SERVICES = `
  services:
    app: {loadBalancer: {servers: [{url: "http://127.0.0.1:8000"}]}}
`;

const router = (lines: string, rest = SERVICES): string =>
  `http:\n  routers:\n    r:\n${lines
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n')}\n${rest.replace(/^\n/, '')}`;

const RULE = 'rule: Host(`a.x`)';

const CASES: readonly Case[] = [
  {
    symptom: 'a rule with a wrong matcher, unquoted',
    yaml: router('rule: Host(`a.x`) && «Hots(`b.x`)\nservice: app'),
    code: 'rule-unknown-matcher',
    message: /no matcher Hots/,
    hint: /did you mean Host\?/,
    status: 'disabled',
  },
  {
    symptom: 'a rule with a wrong value, in double quotes',
    yaml: router('rule: "Host(`a.x`) && PathRegexp(«`(`)"\nservice: app'),
    code: 'rule-value',
    message: /./,
    status: 'disabled',
  },
  {
    symptom: 'a rule with a wrong matcher, in single quotes',
    yaml: router("rule: 'Host(`a.x`) || «Pth(`/`)'\nservice: app"),
    code: 'rule-unknown-matcher',
    message: /no matcher Pth/,
    status: 'disabled',
  },
  {
    symptom: 'a rule in version 2 syntax',
    yaml: router('rule: "«HostRegexp(`{host:.+}`)"\nservice: app'),
    code: 'rule-v2-syntax',
    message: /./,
    hint: /write/,
    status: 'disabled',
  },
  {
    symptom: 'ruleSyntax: v2',
    yaml: router(`${RULE}\n«ruleSyntax: v2\nservice: app`),
    code: 'rule-syntax-v2',
    severity: 'warning',
    message: /version 3/,
    hint: /remove/,
    status: 'warning',
  },
  {
    symptom: 'a service that does not exist',
    yaml: router(`${RULE}\nservice: «apq`),
    code: 'unknown-service',
    message: /^the service "apq@file" does not exist$/,
    hint: /did you mean `app`\?/,
    status: 'disabled',
  },
  {
    symptom: 'a service of a provider that does not exist',
    yaml: router(`${RULE}\nservice: «app@docker`),
    code: 'unknown-service',
    message: /"app@docker" does not exist/,
    status: 'disabled',
  },
  {
    symptom: 'an entry point that does not exist, beside one that does',
    yaml: router(`${RULE}\nservice: app\nentryPoints: [web, «websecur]`),
    code: 'unknown-entry-point',
    severity: 'warning',
    message: /"websecur" does not exist/,
    hint: /did you mean `websecure`\?/,
    status: 'warning',
  },
  {
    symptom: 'no entry point left',
    yaml: router(`${RULE}\nservice: app\n«entryPoints: [nope]`),
    code: 'no-entry-point',
    message: /no valid entry point/,
    status: 'disabled',
  },
  {
    symptom: 'a middleware that does not exist',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares:\n  - «strip`,
      `${SERVICES}  middlewares:\n    stripp: {stripPrefix: {prefixes: [/a]}}\n`,
    ),
    code: 'unknown-middleware',
    message: /^middleware "strip@file" does not exist$/,
    hint: /did you mean `stripp`\?/,
    status: 'disabled',
  },
  {
    symptom: 'a middleware with an unknown key, which disables the router',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [«m]`,
      `${SERVICES}  middlewares:\n    m: {stripPrefix: {prefxes: [/a]}}\n`,
    ),
    code: 'broken-middleware',
    message: /"m@file" has errors/,
    status: 'disabled',
  },
  {
    symptom: 'a middleware with a regular expression that does not compile',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [m]`,
      `${SERVICES}  middlewares:\n    m: {redirectRegex: {regex: «"(", replacement: x}}\n`,
    ),
    code: 'bad-regex',
    message: /invalid regular expression/,
    status: 'disabled',
  },
  {
    symptom: 'an allow list with an address that is none',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [m]`,
      `${SERVICES}  middlewares:\n    m: {ipAllowList: {sourceRange: [10.0.0.0/8, «10.0.0.0/33]}}\n`,
    ),
    code: 'bad-ip-range',
    message: /10\.0\.0\.0\/33/,
    status: 'disabled',
  },
  {
    symptom: 'a limit that would refuse everything',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [m]`,
      `${SERVICES}  middlewares:\n    m: {inFlightReq: {amount: «0}}\n`,
    ),
    code: 'bad-value',
    message: /every request would be refused/,
    status: 'disabled',
  },
  {
    symptom: 'two ways to tell sources apart',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [m]`,
      `${SERVICES}  middlewares:\n    m: {rateLimit: {average: 1, sourceCriterion: {requestHeaderName: X-A, «requestHost: true}}}\n`,
    ),
    code: 'bad-value',
    message: /requestHeaderName and requestHost exclude each other/,
    status: 'disabled',
  },
  {
    symptom: 'a circuit breaker whose expression is wrong, with the place in it',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [m]`,
      `${SERVICES}  middlewares:\n    m: {circuitBreaker: {expression: 'NetworkErrorRatio() > «oops'}}\n`,
    ),
    code: 'bad-expression',
    message: /NetworkErrorRatio\(\) is compared with a number/,
    status: 'disabled',
  },
  {
    symptom: 'a retryExpression that asks what nobody knows',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [m]`,
      `${SERVICES}  middlewares:\n    m: {buffering: {retryExpression: 'Attempts() < 3 && «Latency() > 1'}}\n`,
    ),
    code: 'bad-expression',
    message: /`Latency` is none of Attempts\(\)/,
    status: 'disabled',
  },
  {
    symptom: 'an unimplemented middleware that protects nothing',
    yaml: router(`${RULE}\nservice: app\nmiddlewares: [m]`, `${SERVICES}  middlewares:\n    m: {«compress: {}}\n`),
    code: 'not-implemented',
    severity: 'warning',
    message: /compress is not implemented yet; it is left out/,
    status: 'warning',
  },
  {
    symptom: 'an unimplemented middleware that protects',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [«m]`,
      `${SERVICES}  middlewares:\n    m: {forwardAuth: {address: "http://127.0.0.1"}}\n`,
    ),
    code: 'router-refuses',
    message: /answered 500.*forwardAuth/,
    status: 'warning',
  },
  {
    symptom: 'a users file that cannot be read',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [m]`,
      `${SERVICES}  middlewares:\n    m: {basicAuth: {usersFile: «/nowhere}}\n`,
    ),
    code: 'unreadable-file',
    message: /users file \/nowhere cannot be read/,
    status: 'warning',
  },
  {
    symptom: 'a user whose hash nobody can verify',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [m]`,
      `${SERVICES}  middlewares:\n    m: {basicAuth: {users: [«"bob:plain"]}}\n`,
    ),
    code: 'bad-user',
    severity: 'warning',
    message: /user `bob`/,
  },
  {
    symptom: 'a chain with a member that does not exist',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [m]`,
      `${SERVICES}  middlewares:\n    m: {chain: {middlewares: [«nope]}}\n`,
    ),
    code: 'unknown-middleware',
    message: /"nope@file" does not exist/,
    status: 'disabled',
  },
  {
    symptom: 'chains in a circle',
    yaml: router(
      `${RULE}\nservice: app\nmiddlewares: [m]`,
      `${SERVICES}  middlewares:\n    m: {chain: {middlewares: [n]}}\n    n: {chain: {middlewares: [«m]}}\n`,
    ),
    code: 'chain-cycle',
    message: /m@file -> n@file -> m@file/,
    status: 'disabled',
  },
  {
    symptom: 'TLS options that do not exist',
    yaml: router(`${RULE}\nservice: app\ntls:\n  options: «strict`),
    code: 'unknown-tls-options',
    message: /"strict@file" do not exist/,
    status: 'disabled',
  },
  {
    symptom: 'a certResolver for a rule without a host',
    yaml: router('«rule: PathPrefix(`/`)\nservice: app\ntls:\n  certResolver: internal'),
    static: `${STATIC}certificatesResolvers:\n  internal:\n    acme: {email: a@b.c, httpChallenge: {entryPoint: web}}\n`,
    code: 'acme-no-domain',
    severity: 'warning',
    message: /nothing can be ordered from certResolver "internal" for router "r@file": the rule names no host/,
    status: 'enabled',
  },
  {
    symptom: 'a certResolver that does not exist',
    yaml: router(`${RULE}\nservice: app\ntls:\n  certResolver: «internal`),
    code: 'unknown-cert-resolver',
    severity: 'warning',
    message: /no certResolver "internal"/,
    status: 'warning',
  },
  {
    symptom: 'a server URL without a scheme',
    yaml: router(
      `${RULE}\nservice: app`,
      '  services:\n    app: {loadBalancer: {servers: [{url: «"10.0.0.1:8000"}]}}\n',
    ),
    code: 'bad-server-url',
    message: /scheme is missing/,
    hint: /write http:\/\/10\.0\.0\.1:8000/,
    status: 'disabled',
  },
  {
    symptom: 'an h2c server',
    yaml: router(
      `${RULE}\nservice: app`,
      '  services:\n    app: {loadBalancer: {servers: [{url: «"h2c://10.0.0.1:8000"}]}}\n',
    ),
    code: 'not-implemented',
    message: /h2c/,
    status: 'disabled',
  },
  {
    symptom: 'a negative weight',
    yaml: router(
      `${RULE}\nservice: app`,
      '  services:\n    app: {loadBalancer: {servers: [{url: "http://a", «weight: -1}, {url: "http://b"}]}}\n',
    ).replace('«weight: -1', 'weight: «-1'),
    code: 'bad-weight',
    message: /negative/,
    status: 'enabled',
  },
  {
    symptom: 'a service without servers',
    yaml: router(`${RULE}\nservice: app`, '  services:\n    app:\n      «loadBalancer: {servers: []}\n'),
    code: 'no-servers',
    severity: 'warning',
    message: /503/,
    status: 'enabled',
  },
  {
    symptom: 'a weighted service of one that does not exist',
    yaml: router(`${RULE}\nservice: w`, `${SERVICES}    w:\n      weighted: {services: [{name: «ap}]}\n`),
    code: 'unknown-service',
    message: /"ap@file" does not exist/,
    hint: /`app`/,
    status: 'disabled',
  },
  {
    symptom: 'a weighted service without services',
    yaml: router(`${RULE}\nservice: w`, `${SERVICES}    w:\n      «weighted: {services: []}\n`),
    code: 'no-servers',
    severity: 'warning',
    message: /no services/,
    status: 'enabled',
  },
  {
    symptom: 'a failover to a service that cannot be used',
    yaml: router(
      `${RULE}\nservice: f`,
      `${SERVICES}    bad: {loadBalancer: {servers: [{url: "ftp://a"}]}}\n    f: {failover: {service: app, fallback: «bad}}\n`,
    ),
    code: 'broken-service',
    message: /"bad@file" cannot be used/,
    status: 'disabled',
  },
  {
    symptom: 'a router of a service that cannot be used',
    yaml: router(
      `${RULE}\nservice: «w`,
      `${SERVICES}    w:\n      mirroring: {service: app, mirrors: [{name: app, percent: 101}]}\n`,
    ),
    code: 'broken-service',
    message: /"w@file" cannot be used: .*percentage/,
    status: 'disabled',
  },
  {
    symptom: 'a queue where nobody waits',
    yaml: router(
      `${RULE}\nservice: app`,
      '  services:\n    app:\n      loadBalancer:\n        servers: [{url: "http://a"}]\n        «queue: {limit: 5}\n',
    ),
    code: 'queue-without-limit',
    severity: 'warning',
    message: /no limit/,
    hint: /maxInFlight/,
    status: 'enabled',
  },
  {
    symptom: 'a model that leads to no service',
    yaml: router(`${RULE}\nservice: m`, `${SERVICES}    m:\n      byModel: {models: {"llama*": «ap}}\n`),
    code: 'unknown-service',
    message: /"ap@file" does not exist/,
    hint: /`app`/,
    status: 'disabled',
  },
  {
    symptom: 'services in a circle',
    yaml: router(
      `${RULE}\nservice: w`,
      `${SERVICES}    «w: {weighted: {services: [{name: v}]}}\n    v: {failover: {service: w, fallback: app}}\n`,
    ),
    code: 'service-cycle',
    message: /w@file -> v@file -> w@file/,
    status: 'disabled',
  },
  {
    symptom: 'a health check whose path is no path',
    yaml: router(
      `${RULE}\nservice: app`,
      '  services:\n    app:\n      loadBalancer:\n        servers: [{url: "http://a"}]\n        healthCheck: {path: «"http://b/health"}\n',
    ),
    code: 'bad-value',
    message: /"http:\/\/b\/health" is no path; the servers are not checked/,
    status: 'enabled',
  },
  {
    symptom: 'a serversTransport that does not exist',
    yaml: router(
      `${RULE}\nservice: app`,
      '  services:\n    app: {loadBalancer: {servers: [{url: "https://a"}], serversTransport: «ca}}\n',
    ),
    code: 'unknown-servers-transport',
    message: /"ca@file" does not exist/,
    status: 'disabled',
  },
  {
    symptom: 'a root CA that cannot be read',
    yaml: router(
      `${RULE}\nservice: app`,
      '  services:\n    app: {loadBalancer: {servers: [{url: "https://a"}], serversTransport: ca}}\n  serversTransports:\n    ca: {rootCAs: [«/nowhere.crt]}\n',
    ),
    code: 'tls-file-missing',
    message: /root CA \/nowhere\.crt/,
    status: 'disabled',
  },
  {
    symptom: 'a service whose serversTransport cannot be used',
    yaml: router(
      `${RULE}\nservice: app`,
      '  services:\n    app: {loadBalancer: {servers: [{url: "https://a"}], serversTransport: «ca}}\n  serversTransports:\n    ca: {rootCAs: [/nowhere.crt]}\n',
    ),
    code: 'broken-servers-transport',
    message: /"ca@file" cannot be used/,
    status: 'disabled',
  },
  {
    symptom: "a check of the server's identity that is not done yet",
    yaml: router(
      `${RULE}\nservice: app`,
      '  services:\n    app: {loadBalancer: {servers: [{url: "https://a"}], serversTransport: ca}}\n  serversTransports:\n    ca: {«peerCertURI: "spiffe://x"}\n',
    ),
    code: 'not-implemented',
    message: /peerCertURI/,
    status: 'disabled',
  },
  {
    symptom: 'a service that nobody uses',
    yaml: 'http:\n  services:\n    «app: {loadBalancer: {servers: [{url: "http://127.0.0.1:8000"}]}}\n',
    code: 'unused-service',
    severity: 'info',
    message: /no router uses/,
  },
  {
    symptom: 'a certificate that cannot be read',
    yaml: 'tls:\n  certificates:\n    - «certFile: /nowhere.crt\n      keyFile: /nowhere.key\n',
    code: 'tls-file-missing',
    message: /nowhere\.crt/,
  },
  {
    symptom: 'a store other than the default one',
    yaml: 'tls:\n  stores:\n    «other: {}\n',
    code: 'unknown-store',
    severity: 'warning',
    message: /only the store `default`/,
  },
  {
    symptom: 'TLS options with an unknown curve, and no other',
    yaml: 'tls:\n  options:\n    modern:\n      minVersion: VersionTLS13\n      «curvePreferences: [CurveP999]\n',
    code: 'tls-no-curve',
    message: /none of the curves/,
  },
  {
    symptom: 'TLS options other than the default on a rule without a host',
    yaml: `${router('rule: PathPrefix(`/a`)\nservice: app\ntls:\n  «options: strict')}tls:\n  options:\n    strict: {sniStrict: true}\n`,
    code: 'tls-options-without-host',
    severity: 'warning',
    message: /names no host/,
    status: 'warning',
  },
  {
    symptom: 'a TCP router',
    yaml: 'tcp:\n  routers:\n    «db: {rule: "HostSNI(`*`)", service: db}\n',
    code: 'not-served-yet',
    severity: 'warning',
    message: /TCP router `db@file`/,
  },
];

describe('what is wrong is said with its place', () => {
  it.each(CASES)('$symptom', ({ yaml, code, severity = 'error', message, hint, status, static: file }) => {
    const { text, line, column } = marked(yaml);
    const { snapshot, diagnostics } = build(text, file === undefined ? {} : { static: file });
    const found = diagnostics.find((d) => d.code === code && message.test(d.message));
    expect(found, JSON.stringify(diagnostics, null, 1)).toMatchObject({ severity, file: 'a.yml', line, column });
    if (hint !== undefined) expect(found?.hint).toMatch(hint);
    if (status !== undefined) expect(snapshot.http.routers['r@file']?.status).toBe(status);
  });
});
