import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startChild } from '../support/child.ts';
import { freePort } from '../support/ports.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';
import { TOOLS, toolsMissing } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/start.ts', import.meta.url));
const HOSTS = ['traefik', 'granite-embedding', 'granite-3b', 'ollama', 'llamacpp'].map(
  (name) => `${name}.internal.thinkheads.ai`,
);

it.skipIf(toolsMissing('npm start -- --with-step-ca', 'step-ca', 'step'))(
  'npm start -- --with-step-ca serves the five hosts with certificates of a real step-ca, and prints commands that show it',
  async () => {
    await using temp = await tempDir('phoenix-test-start-');
    const [web, websecure, ca] = [await freePort(), await freePort(), await freePort()];
    const child = startChild(
      process.execPath,
      [
        SCRIPT,
        '--with-step-ca',
        `--entryPoints.web.address=127.0.0.1:${web}`,
        `--entryPoints.websecure.address=127.0.0.1:${websecure}`,
        `--certificatesResolvers.step-ca.acme.caServer=https://127.0.0.1:${ca}/acme/acme/directory`,
        `--certificatesResolvers.step-ca.acme.caCertificates=${temp.path}/ca/certs/root_ca.crt`,
        `--certificatesResolvers.step-ca.acme.storage=${temp.path}/acme.json`,
        '--workers=2',
      ],
      { PATH: `${TOOLS}:${process.env.PATH}`, RUNTIME_DIRECTORY: `${temp.path}/run` },
    );
    await waitFor('the commands to try', () => child.exited() !== undefined || /Ctrl-C/.test(child.output()), {
      timeoutMs: 60_000,
      describe: child.output,
    });
    const shown = async (host: string) => {
      const args = ['s_client', '-connect', `127.0.0.1:${websecure}`, '-servername', host, '-showcerts'];
      const checks = ['-CAfile', `${temp.path}/ca/certs/root_ca.crt`, '-verify_return_error', '-verify_hostname', host];
      return runCommand([...args, ...checks], { program: 'openssl' });
    };
    for (const host of HOSTS) {
      const { stdout } = await waitFor(
        `a certificate for ${host}`,
        async () => {
          const one = await shown(host);
          return one.code === 0 ? one : undefined;
        },
        { timeoutMs: 30_000, intervalMs: 200, describe: () => child.output().slice(-3000) },
      );
      expect(stdout).toMatch(new RegExp(`subject=CN ?= ?${host}`));
      expect(stdout).toMatch(/issuer=O ?= ?Phoenix local CA, CN ?= ?Phoenix local CA Intermediate CA/);
      // Leaf and intermediate.
      expect(stdout.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    }
    const line = /^curl .*\/api\/version$/m.exec(child.output())![0];
    const answer = await runCommand(['-c', line], { program: 'sh' });
    expect(JSON.parse(answer.stdout)).toHaveProperty('Version');
    expect(await child.stop()).toMatchObject({ code: 0 });
    await waitFor('step-ca to be gone', async () => {
      const { code } = await runCommand(['-sk', `https://127.0.0.1:${ca}/health`], { program: 'curl' });
      return code === 7;
    });
  },
  120_000,
);
