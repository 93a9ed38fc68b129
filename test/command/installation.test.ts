import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatInstallation, planInstallation } from '../../src/command/installation.ts';
import { StaticConfigError } from '../../src/core/static-config-error.ts';
import { tempDir } from '../support/temp.ts';

describe('what an installer is told of a configuration', () => {
  it('is what is listened on, read and written', async () => {
    await using dir = await tempDir();
    const config = join(dir.path, 'traefik.yml');
    const dynamic = join(dir.path, 'dynamic');
    await mkdir(join(dynamic, 'more'), { recursive: true });
    await writeFile(
      config,
      [
        'entryPoints:',
        '  web: { address: ":80" }',
        '  local: { address: "127.0.0.1:81", transport: { lifeCycle: { requestAcceptGraceTimeout: 5s, graceTimeOut: 20s } } }',
        '  six: { address: "[::1]:82" }',
        `providers: { file: { directory: "${dynamic}" } }`,
        'api: { insecure: true }',
        'log: { filePath: /var/log/traefik/traefik.log }',
        'accessLog: { filePath: /var/log/traefik/access.log }',
        'certificatesResolvers: { mesh: { acme: { email: a@b.test, storage: /etc/traefik/acme.json, httpChallenge: { entryPoint: web } } } }',
      ].join('\n'),
    );
    await writeFile(
      join(dynamic, 'tls.yml'),
      'tls: { certificates: [{ certFile: /etc/ssl/a.crt, keyFile: /etc/ssl/a.key }] }\n' +
        'http: { serversTransports: { ca: { rootCAs: [/etc/step-ca/root.crt] } } }\n',
    );
    await writeFile(join(dynamic, 'more', 'half.yml'), 'http: rou');
    expect(formatInstallation(planInstallation(['--config', config], {})).split('\n')).toEqual([
      `config\t${config}`,
      'listen\tweb\t80',
      'listen\tlocal\t127.0.0.1:81',
      'listen\tsix\t[::1]:82',
      'listen\ttraefik\t8080',
      ...['/etc/ssl/a.crt', '/etc/ssl/a.key', '/etc/step-ca/root.crt'].map((path) => `read\t${path}`),
      ...[dynamic, join(dynamic, 'more'), join(dynamic, 'more/half.yml'), join(dynamic, 'tls.yml'), config].map(
        (path) => `read\t${path}`,
      ),
      'log\t/var/log/traefik/traefik.log',
      'access-log\t/var/log/traefik/access.log',
      'secret\t/etc/traefik/acme.json\tmesh',
      'stop-seconds\t25',
      '',
    ]);
  });

  it('is nothing where the static file is wrong', async () => {
    await using dir = await tempDir();
    const config = join(dir.path, 'traefik.yml');
    await writeFile(config, 'entryPoints: { web: { adress: ":80" } }');
    expect(() => planInstallation(['--config', config], {})).toThrow(StaticConfigError);
  });
});
