import { join } from 'node:path';
import { openAcmeManager } from '../../../src/control/acme/manager.ts';
import type { AcmeManager, AcmeOptions, WantedCertificate } from '../../../src/control/acme/types.ts';
import { acmeConfig } from '../../support/acme-config.ts';
import { type ResponderPorts, startResponder } from '../../support/challenge-responder.ts';
import { type TempDir, tempDir } from '../../support/temp.ts';
import { waitFor } from '../../support/wait-for.ts';

export interface ManagedOptions extends Partial<Omit<AcmeOptions, 'resolvers'>> {
  readonly resolvers: Readonly<Record<string, Record<string, unknown>>>;
  /** The storage's directory; a new one unless given. */
  readonly dir?: TempDir;
  readonly responder?: ResponderPorts;
}

export interface Managed extends AsyncDisposable {
  readonly manager: AcmeManager;
  readonly dir: TempDir;
  readonly storage: string;
  /** `level message` of each log line. */
  readonly lines: string[];
  /** Times that `onCertificates` was called. */
  told(): number;
  want(...names: readonly (string | readonly string[])[]): void;
  /** Waits until this name has a certificate (or another one than `not`), and gives its PEM. */
  certificate(name: string, options?: { not?: string; timeoutMs?: number }): Promise<string>;
}

/** A manager with its storage in a directory of its own, and somebody who answers its challenges. */
export async function manage(options: ManagedOptions): Promise<Managed> {
  const { resolvers, dir = await tempDir(), responder, ...rest } = options;
  const storage = join(dir.path, 'acme.json');
  const lines: string[] = [];
  let told = 0;
  const manager = await openAcmeManager({
    resolvers: Object.fromEntries(
      Object.entries(resolvers).map(([name, acme]) => [name, acmeConfig({ storage, ...acme })]),
    ),
    log: (level, message) => void lines.push(`${level} ${message}`),
    onCertificates: () => {
      told++;
    },
    onChallenges: async () => undefined,
    env: {},
    lookup: async () => [{ address: '127.0.0.1', family: 4 }],
    ...rest,
  });
  const answering = responder === undefined ? undefined : await startResponder(responder, () => [manager.challenges]);
  const [first = ''] = Object.keys(resolvers);
  return {
    manager,
    dir,
    storage,
    lines,
    told: () => told,
    want: (...names) => manager.want(names.map((name) => wanted(first, name))),
    certificate: async (name, { not, timeoutMs = 60_000 } = {}) =>
      waitFor(
        `a certificate for ${name}`,
        () => manager.certificates().find(({ main, cert }) => main === name && cert !== not)?.cert,
        { timeoutMs, describe: () => `${JSON.stringify(manager.status(), null, 1)}\n${lines.join('\n')}` },
      ),
    [Symbol.asyncDispose]: async () => {
      await manager.close();
      await answering?.[Symbol.asyncDispose]();
      if (options.dir === undefined) await dir.remove();
    },
  };
}

function wanted(resolver: string, name: string | readonly string[]): WantedCertificate {
  const [main = '', ...sans] = typeof name === 'string' ? [name] : name;
  return { resolver, main, sans, for: [`router-of-${main}`] };
}
