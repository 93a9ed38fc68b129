import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { COMMAND, runCommand } from '../support/run-command.ts';
import { type TempDir, tempDir } from '../support/temp.ts';

let temp: TempDir;
let proxy: ProxyProcess;

beforeAll(async () => {
  temp = await tempDir();
  const { stdout } = await runCommand(['completion', 'bash']);
  await writeFile(join(temp.path, 'completion'), stdout);
  await mkdir(join(temp.path, 'files', 'sub dir'), { recursive: true });
  await writeFile(join(temp.path, 'files', 'one.yml'), '');
  proxy = await startProxy({
    static: { entryPoints: { web: {}, websecure: {} } },
    dynamic: {
      http: {
        routers: {
          app: { rule: 'Host(`app.test`) && Path(`/x`)', service: 'app' },
          safe: { rule: 'Host(`safe.test`) || Host(`*.wild.test`)', service: 'app', tls: {} },
          odd: { rule: 'Host(`$(touch /tmp/never)`)', service: 'app' },
        },
        services: { app: { loadBalancer: { servers: [{ url: 'http://127.0.0.1:9' }] } } },
      },
    },
  });
});

afterAll(async () => {
  await proxy.stop();
  await temp.remove();
});

/** What bash offers at the end of a line. Readline's own part, the words between breaks, is left to it. */
async function complete(line: string): Promise<readonly string[]> {
  const script = `
    source "$1/completion"; cd "$1/files"
    COMP_LINE=$2 COMP_POINT=\${#2} COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
    _proxy 2>/dev/null
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { ...proxy.env, PATH: `${dirname(COMMAND)}:${process.env.PATH}` };
  const { stdout } = await runCommand(['-c', script, 'bash', temp.path, line], { program: 'bash', env });
  return stdout.split('\n').filter((word) => word !== '');
}

describe('completion in bash', () => {
  it.each<[string, readonly string[]]>([
    ['proxy che', ['check']],
    ['proxy re', ['reload', 'restart-workers']],
    ['proxy check --s', ['--strict']],
    ['proxy check --config ', ['one.yml', 'sub dir']],
    ['proxy check --config=on', ['one.yml']],
    ['proxy check --json o', ['one.yml']],
    ['proxy routes --entrypoint ', ['web', 'websecure']],
    ['proxy routes --entrypoint=webs', ['websecure']],
    ['proxy explain --method P', ['POST', 'PUT', 'PATCH']],
    // Readline has the part up to the colon already.
    ['proxy explain https:', ['//safe.test/']],
    ['proxy explain h', ['http://app.test/', 'https://safe.test/']],
    ['proxy certs re', ['renew', 'revoke']],
    ['proxy certs renew ', ['app.test', 'safe.test']],
    ['proxy certs export --o', ['--out']],
    ['proxy completion ', ['bash']],
    ['proxy drain ', ['app@file']],
    ['proxy drain --json app@file http:', ['//127.0.0.1:9']],
    ['proxy drain app@file http://127.0.0.1:9 ', []],
    ['proxy check one.yml o', ['one.yml']],
    ['proxy run --workers ', []],
    ['proxy nonsense ', []],
  ])('%s', async (line, expected) => {
    const offered = await complete(line);
    expect([...offered].sort()).toEqual([...expected].sort());
  });

  it('offers every verb but what is for the script alone', async () => {
    const { stdout } = await runCommand(['--help']);
    const listed = [...stdout.matchAll(/^ {2}([a-z][a-z-]+)[ \n]/gm)]
      .map((match) => match[1]!)
      .filter((verb) => verb !== 'help');
    expect([...(await complete('proxy '))].sort()).toEqual(listed.sort());
  });

  it('runs nothing that stands in a configuration', async () => {
    expect(await complete('proxy explain http://$')).toEqual([]);
    expect(existsSync('/tmp/never')).toBe(false);
  });

  it('offers nothing, and says nothing, where no proxy runs', async () => {
    const script = `source "$1/completion"; COMP_LINE=$2 COMP_POINT=\${#2} COMP_WORDBREAKS=:; _proxy; printf '%s' "\${COMPREPLY[@]}"`;
    const env = { RUNTIME_DIRECTORY: '/nonexistent', PATH: `${dirname(COMMAND)}:${process.env.PATH}` };
    const result = await runCommand(['-c', script, 'bash', temp.path, 'proxy routes --entrypoint '], {
      program: 'bash',
      env,
    });
    expect(result).toMatchObject({ stdout: '', stderr: '' });
  });

  it.skipIf(!existsSync('/usr/bin/script'))('works behind the Tab key of an interactive shell', async () => {
    const env = { ...proxy.env, PATH: `${dirname(COMMAND)}:${process.env.PATH}`, TERM: 'dumb', HISTFILE: '' };
    const input = `source ${temp.path}/completion\nproxy ch\t --h\t\nexit\n`;
    const { stdout } = await runCommand(['-qec', 'bash --norc --noprofile -i', '/dev/null'], {
      program: '/usr/bin/script',
      env,
      input,
    });
    expect(stdout).toMatch(/Usage: proxy check/);
  });
});
