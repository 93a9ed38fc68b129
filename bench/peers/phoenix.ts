import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { renderTemplate } from '../template.ts';
import { forHosts } from './hosts.ts';
import type { CommandLine, Peer, Setting } from './peer.ts';

const ROOT = join(import.meta.dirname, '../..');
const CONFIG = join(import.meta.dirname, 'config');

/** This project, by its own command and Traefik's files. */
export const phoenix: Peer = {
  name: 'phoenix',
  warmsUp: true,
  lacks: [],
  missing() {
    const built = ['dist/cli.js', 'src/cli.ts'].some((entry) => existsSync(join(ROOT, entry)));
    return built ? null : 'bin/proxy cannot run: neither dist/cli.js nor src/cli.ts exists';
  },
  version: () => (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version,
  prepare(setting) {
    const { file, reload } = renderTraefikFiles(join(CONFIG, 'phoenix.yml'), setting);
    const args = ['run', '--config', file, '--workers', String(setting.workers)];
    return { command: join(ROOT, 'bin/proxy'), args, reload };
  },
};

/**
 * Another state of this project beside it in the same rounds, for before and after: PHOENIX_OTHER names its checkout (with
 * node_modules; this one where it is unset), PHOENIX_OTHER_NODE_OPTIONS what Node is told there. null where neither is set.
 */
export function otherPhoenix(env: NodeJS.ProcessEnv): Peer | null {
  const { PHOENIX_OTHER: other, PHOENIX_OTHER_NODE_OPTIONS: options } = env;
  if (other === undefined && options === undefined) return null;
  const root = other ?? ROOT;
  return {
    ...phoenix,
    name: 'other',
    missing: () => (existsSync(join(root, 'bin/proxy')) ? null : `PHOENIX_OTHER: ${root} has no bin/proxy`),
    version: () => `${root}${options === undefined ? '' : ` with ${options}`}`,
    prepare(setting) {
      const line = phoenix.prepare(setting);
      if (line === null) return null;
      const env = { ...line.env, ...(options === undefined ? {} : { NODE_OPTIONS: options }) };
      return { ...line, command: join(root, 'bin/proxy'), env };
    },
  };
}

/** Writes a static file from `template` and the dynamic file that both phoenix and Traefik read; gives the former. */
export function renderTraefikFiles(
  template: string,
  setting: Setting,
): { file: string; reload: NonNullable<CommandLine['reload']> } {
  const { tls, port, upstreamPort, certificate, directory, routers, accessLog } = setting;
  const { certFile, keyFile } = certificate;
  const values = {
    tls,
    plain: !tls,
    port,
    upstreamPort,
    certFile,
    keyFile,
    logging: accessLog !== null,
    accessLog: accessLog ?? '',
  };
  const render = (n: number, name?: string): string =>
    renderTemplate(
      join(CONFIG, 'dynamic.yml'),
      directory,
      {
        ...values,
        routers: forHosts(routers, (host, i) => `    r${i}: { rule: Host(\`${host}\`), service: upstream }`),
        generation: n,
      },
      name,
    );
  const dynamicFile = render(0);
  const file = renderTemplate(template, directory, { ...values, dynamicFile });
  return {
    file,
    // Replaced as a whole, as a deployment does it.
    reload: (_running, n) => {
      const fresh = render(n, '.dynamic.yml.new');
      renameSync(fresh, dynamicFile);
    },
  };
}
