import { openAcmeManager } from '../../src/control/acme/manager.ts';
import { acmeConfig } from './acme-config.ts';
import { startResponder } from './challenge-responder.ts';

/**
 * A process with one manager, to be killed: `node acme-child.ts '{"resolver": {...}, "names": [...], "ports": {...}}'`. Writes
 * what the log says, and for each certificate `have NAME SERIAL`, or `stored NAME SERIAL` where it was there at the start.
 */
const { resolver, names, ports } = JSON.parse(process.argv[2] ?? '{}') as {
  resolver: Record<string, unknown>;
  names: string[];
  ports?: { httpPort: number; tlsPort: number };
};
const manager = await openAcmeManager({
  resolvers: { mesh: acmeConfig(resolver) },
  log: (level, message) => console.log(`${level} ${message}`),
  onCertificates: () => say('have'),
  onChallenges: async () => undefined,
  env: {},
});
if (ports !== undefined) await startResponder(ports, () => [manager.challenges]);
manager.want(names.map((main) => ({ resolver: 'mesh', main, sans: [], for: [] })));
say('stored');
process.on('SIGTERM', () => void manager.close().then(() => process.exit(0)));
setInterval(() => undefined, 1000);

function say(what: 'have' | 'stored'): void {
  for (const { main } of manager.certificates()) {
    console.log(`${what} ${main} ${manager.status().find((status) => status.main === main)?.serial}`);
  }
}
