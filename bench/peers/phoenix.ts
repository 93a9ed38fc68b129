import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderTemplate } from '../template.ts';
import type { Peer, Setting } from './peer.ts';

const ROOT = join(import.meta.dirname, '../..');
const CONFIG = join(import.meta.dirname, 'config');

/** This project, by its own command and Traefik's files, one worker. */
export const phoenix: Peer = {
  name: 'phoenix',
  warmsUp: true,
  missing() {
    const built = ['dist/cli.js', 'src/cli.ts'].some((entry) => existsSync(join(ROOT, entry)));
    return built ? null : 'bin/proxy cannot run: neither dist/cli.js nor src/cli.ts exists';
  },
  version: () => (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version,
  prepare(setting) {
    const file = renderTraefikFiles(join(CONFIG, 'phoenix.yml'), setting);
    return { command: join(ROOT, 'bin/proxy'), args: ['run', '--config', file, '--workers', '1'] };
  },
};

/** Writes a static file from `template` and the dynamic file that both phoenix and Traefik read; gives the former. */
export function renderTraefikFiles(template: string, setting: Setting): string {
  const { tls, port, upstreamPort, certificate, directory } = setting;
  const { certFile, keyFile } = certificate;
  const values = { tls, plain: !tls, port, upstreamPort, certFile, keyFile };
  const dynamicFile = renderTemplate(join(CONFIG, 'dynamic.yml'), directory, values);
  return renderTemplate(template, directory, { ...values, dynamicFile });
}
