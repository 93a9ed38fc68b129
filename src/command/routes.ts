import type { Command } from 'commander';
import type { RouteLine } from '../control/command/routes.ts';
import { callProxy } from './client.ts';
import { EXIT } from './exit-code.ts';
import { CommandError } from './fail.ts';
import { type RemoteOptions, remote } from './options.ts';
import { print, printable, printJson } from './print.ts';
import { table } from './table.ts';

interface Options extends RemoteOptions {
  readonly entrypoint?: string;
}

/** `proxy routes`: the routing table of the running proxy. */
export function addRoutes(program: Command): void {
  remote(
    program
      .command('routes')
      .description('the routers of the running proxy, in the order in which they are asked')
      .option('--entrypoint <name>', 'those of one entry point'),
  ).action(async (options: Options) => {
    const { entrypoint } = options;
    const { ok, data } = await callProxy(options, 'routes', entrypoint === undefined ? {} : { entryPoint: entrypoint });
    if (!ok) throw new CommandError(EXIT.refused, String(data.message));
    const routes = data.routes as readonly RouteLine[];
    if (options.json) printJson(data);
    else for (const line of describeRoutes(routes)) print(line);
  });
}

/** The rule last: it may be long. */
export function describeRoutes(routes: readonly RouteLine[]): readonly string[] {
  const rows = routes.map((route) => [
    route.entryPoint === '' ? '-' : route.entryPoint,
    route.tls ? 'tls' : 'plain',
    route.priority >= Number.MAX_SAFE_INTEGER - 2 ? 'max' : String(route.priority),
    route.router,
    route.middlewares.join(',') || '-',
    route.service === '' ? '-' : route.service,
    route.refuse === undefined ? route.status : 'refuses',
    route.rule,
  ]);
  const lines = table(
    ['ENTRY POINT', 'FOR', 'PRIORITY', 'ROUTER', 'MIDDLEWARES', 'SERVICE', 'STATUS', 'RULE'],
    rows.map((row) => row.map(printable)),
  );
  const problems = new Map(
    routes.filter((r) => r.errors.length > 0 || r.refuse !== undefined).map((r) => [r.router, r]),
  );
  if (problems.size > 0) lines.push('');
  for (const { router, errors, refuse } of problems.values()) {
    const why = [...new Set([...(refuse === undefined ? [] : [`answers 500: ${refuse}`]), ...errors])];
    lines.push(printable(`${router}: ${why.join('; ')}`));
  }
  return lines;
}
