import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/core/diagnostic.ts';
import { makeCa } from '../support/certs.ts';
import { type CommandResult, runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

const STATIC = `entryPoints:
  web: {address: ":1"}
  websecure: {address: ":2"}
providers: {file: {directory: dynamic}}
`;

const GOOD = `http:
  routers:
    app: {rule: "Host(\`a.x\`)", service: app, entryPoints: [web]}
  services:
    app: {loadBalancer: {servers: [{url: "http://127.0.0.1:9"}]}}
`;

const BAD = `http:
  routers:
    one:
      rule: Host(\`b.x\`)
      service: appp
      entryPoints: [web]
`;

/** Writes the files and runs `proxy check` among them. */
async function check(
  files: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<CommandResult> {
  await using dir = await tempDir();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(dir.path, name, '..'), { recursive: true });
    await writeFile(join(dir.path, name), text);
  }
  return await runCommand(['check', ...args], { cwd: dir.path, env: { HOME: dir.path, XDG_CONFIG_HOME: '', ...env } });
}

interface Report {
  readonly ok: boolean;
  readonly errors: number;
  readonly warnings: number;
  readonly routers: number;
  readonly diagnostics: readonly Diagnostic[];
}

function reportOf(result: CommandResult): Report {
  return JSON.parse(result.stdout) as Report;
}

describe('proxy check', () => {
  it('finds the static file as `run` does, with its dynamic files, and exits 0 where all is in order', async () => {
    const { code, stdout, stderr } = await check({ 'traefik.yml': STATIC, 'dynamic/a.yml': GOOD });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe('0 errors, 0 warnings, 0 notes; 2 files, 1 router, 1 service, 0 certificates\n');
  });

  it('shows file, line, column, hint, the line itself and a caret, and exits 1', async () => {
    const { code, stdout } = await check({ 'proxy.yml': STATIC, 'dynamic/a.yml': GOOD, 'dynamic/b.yml': BAD }, [
      '--config',
      'proxy.yml',
    ]);
    expect(code).toBe(1);
    expect(stdout).toContain(
      [
        'dynamic/b.yml:5:16: error: the service "appp@file" does not exist (did you mean `app`?)',
        ' 5 |       service: appp',
        '   |                ^',
      ].join('\n'),
    );
    expect(stdout).toMatch(/1 error, 0 warnings, 0 notes; 3 files, 2 routers, 1 service, 0 certificates\n$/);
  });

  it('tells static from dynamic files by what stands in them', async () => {
    const files = {
      's.yml': STATIC,
      'dynamic/a.yml': BAD,
      'other.toml': '[http.routers.r]\nrule = "Host(`a`"\nservice = "x"\n',
    };
    const both = await check(files, ['s.yml', 'other.toml']);
    expect(both.stdout).toMatch(/other\.toml:2:\d+: error/);
    // The named one in place of those of the static file.
    expect(both.stdout).not.toMatch(/dynamic\/a\.yml/);
    const alone = await check(files, ['s.yml']);
    expect(alone.stdout).toMatch(/dynamic\/a\.yml:5:16: error/);
  });

  it('takes a directory like /etc/traefik by the static file in it', async () => {
    const { stdout, code } = await check(
      { 'etc/traefik.yml': STATIC.replace('dynamic', 'etc/dynamic'), 'etc/dynamic/a.yml': BAD },
      ['etc'],
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(/^etc\/dynamic\/a\.yml:5:16: error: .*\n(.*\n)*1 error, 0 warnings, 0 notes; 2 files/m);
  });

  it('does not complain of entry points and resolvers where only dynamic files are given', async () => {
    const text = GOOD.replace('entryPoints: [web]', 'entryPoints: [anything], tls: {certResolver: mine}');
    const result = await check({ 'd/a.yml': text, 'd/b.yml': BAD.replace('appp', 'app').replace('one:', 'two:') }, [
      '--json',
      'd',
    ]);
    expect(reportOf(result).diagnostics.filter((d) => /entry point|there is no certResolver/.test(d.message))).toEqual(
      [],
    );
    expect(result.code).toBe(0);
  });

  it('needs neither the ports nor the rights to serve', async () => {
    // Ports 1 and 2 are nobody's, whoever runs the test.
    const { code } = await check({ 'traefik.yml': STATIC, 'dynamic/a.yml': GOOD });
    expect(code).toBe(0);
  });

  it('says what can never match, what nobody uses and what expires', async () => {
    const day = (n: number): Date => new Date(Date.now() + n * 86_400_000);
    const ca = makeCa();
    const soon = ca.issue({ sans: ['soon.x'], notBefore: day(-364), notAfter: day(1) });
    const gone = ca.issue({ sans: ['gone.x'], notBefore: day(-100), notAfter: day(-1) });
    const dynamic = `http:
  routers:
    all: {rule: "PathPrefix(\`/\`)", priority: 900, service: app, entryPoints: [web]}
    late: {rule: "Host(\`a.x\`)", service: app, entryPoints: [web]}
  middlewares:
    idle: {addPrefix: {prefix: /x}}
  services:
    app: {loadBalancer: {servers: [{url: "http://127.0.0.1:9"}]}}
    idle: {loadBalancer: {servers: [{url: "http://127.0.0.1:9"}]}}
tls:
  certificates:
    - {certFile: soon.pem, keyFile: soon.key}
    - {certFile: gone.pem, keyFile: gone.key}
`;
    const files = {
      'traefik.yml': STATIC,
      'dynamic/a.yml': dynamic,
      'soon.pem': soon.cert,
      'soon.key': soon.key,
      'gone.pem': gone.cert,
      'gone.key': gone.key,
    };
    const lenient = await check(files, ['--json']);
    const codes = reportOf(lenient).diagnostics.map((d) => d.code);
    expect(codes).toEqual(
      expect.arrayContaining([
        'router-shadowed',
        'unused-service',
        'unused-middleware',
        'tls-certificate-expires-soon',
        'tls-certificate-expired',
      ]),
    );
    expect(lenient.code).toBe(0);
    expect((await check(files, ['--strict'])).code).toBe(1);
  });

  it('says where a Go template stands', async () => {
    const { code, stdout } = await check({ 'a.yml': 'http:\n  routers:\n{{ range $i }}\n' }, ['a.yml']);
    expect(code).toBe(1);
    expect(stdout).toContain('a.yml:3:1: error: the file contains a Go template (`{{`)');
  });

  it('says where the static file is wrong', async () => {
    const { code, stdout } = await check({ 'traefik.yml': 'entryPoints:\n  web: {adress: ":80"}\n' });
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^traefik\.yml:2:9: error: .*adress.*\(did you mean `address`\?\)\n 2 \| {3}web: \{adress: ":80"\}\n {3}\| {9}\^/m,
    );
  });

  it.each<[string, readonly string[], number, RegExp]>([
    [
      'nothing to check',
      [],
      2,
      /^proxy: there is no static file in the default places: name one, see proxy check --help\n$/,
    ],
    ['a file that is not there', ['nope.yml'], 1, /^proxy: nope\.yml cannot be read: it does not exist\n$/],
    [
      'a static file that is not there',
      ['--config', 'nope.yml'],
      1,
      /^proxy: the configuration file .*nope\.yml cannot be read: it does not exist\n$/,
    ],
    [
      'a directory as the static file',
      ['--config', '.'],
      1,
      /^proxy: .* cannot be read: it is a directory: name the file in it\n$/,
    ],
    [
      'an unknown option',
      ['--jsn'],
      2,
      /^proxy: unknown option '--jsn' \(did you mean --json\?\); see proxy check --help\n$/,
    ],
    [
      'an option without its value',
      ['--config'],
      2,
      /^proxy: option '--config <file>' argument missing; see proxy check --help\n$/,
    ],
  ])('says in one line: %s', async (_, args, code, line) => {
    const result = await check({}, args);
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(line) });
  });
});
