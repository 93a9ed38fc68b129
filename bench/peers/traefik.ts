import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runToEnd } from '../processes.ts';
import type { Peer } from './peer.ts';
import { renderTraefikFiles } from './phoenix.ts';

const binary = (): string => process.env.TRAEFIK_BIN ?? '';

/** Traefik, when TRAEFIK_BIN names its binary. Go takes the number of threads from GOMAXPROCS. */
export const traefik: Peer = {
  name: 'traefik',
  warmsUp: false,
  lacks: [],
  missing() {
    if (binary() === '') return 'TRAEFIK_BIN is not set (path of a Traefik v3 binary)';
    return existsSync(binary()) ? null : `TRAEFIK_BIN: ${binary()} does not exist`;
  },
  version: () => /Version:\s+(\S+)/.exec(runToEnd(binary(), ['version']))?.[1] ?? 'unknown',
  prepare(setting) {
    const { file, reload } = renderTraefikFiles(join(import.meta.dirname, 'config/traefik.yml'), setting);
    return { command: binary(), args: [`--configFile=${file}`], env: { GOMAXPROCS: String(setting.workers) }, reload };
  },
};
