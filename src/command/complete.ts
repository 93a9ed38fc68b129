import { Argument, type Command } from 'commander';
import type { RouteLine } from '../control/command/routes.ts';
import type { ProxyStatus } from '../control/status.ts';
import { callProxy } from './client.ts';
import { print } from './print.ts';

type Kind = 'entrypoints' | 'urls' | 'hosts' | 'services' | 'servers';

/** `proxy complete KIND`: what the running proxy has, a word a line, for the shell's completion. Says nothing where none runs. */
export function addComplete(program: Command): void {
  program
    .command('complete', { hidden: true })
    .addArgument(new Argument('<kind>').choices(['entrypoints', 'urls', 'hosts', 'services', 'servers']))
    .action(async (kind: Kind) => {
      const words = kind === 'services' || kind === 'servers' ? await ofServices(kind) : await ofRoutes(kind);
      // Shells and terminals read them: nothing but plain words.
      for (const word of new Set(words)) if (/^[\w.:/[\]@-]+$/.test(word)) print(word);
    });
}

async function ofServices(kind: 'services' | 'servers'): Promise<readonly string[]> {
  const { ok, data } = await callProxy({}, 'status');
  if (!ok) return [];
  const { services } = data as unknown as ProxyStatus;
  return kind === 'services'
    ? services.map(({ name }) => name)
    : services.flatMap(({ servers }) => servers.map(({ url }) => url));
}

async function ofRoutes(kind: 'entrypoints' | 'urls' | 'hosts'): Promise<readonly string[]> {
  const { ok, data } = await callProxy({}, 'routes');
  if (!ok) return [];
  const routes = data.routes as readonly RouteLine[];
  return kind === 'entrypoints' ? routes.map((route) => route.entryPoint) : routes.flatMap(hosts(kind));
}

/** Hosts that a rule names, as such or as the beginning of a URL. */
function hosts(kind: 'urls' | 'hosts'): (route: RouteLine) => readonly string[] {
  return ({ rule, tls, status }) => {
    if (status === 'disabled') return [];
    const names = [...rule.matchAll(/\bHost\(\s*[`"]([^`"*]+)[`"]/g)].map((match) => match[1]!.toLowerCase());
    return kind === 'hosts' ? names : names.map((name) => `${tls ? 'https' : 'http'}://${name}/`);
  };
}
