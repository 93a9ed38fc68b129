import type { Command } from 'commander';
import type { Explained, ExplainedService, ExplainedTls, LostRouter } from '../core/explain.ts';
import { callProxy } from './client.ts';
import { EXIT } from './exit-code.ts';
import { type ExplainOptions, readExplainRequest } from './explain-request.ts';
import { CommandError } from './fail.ts';
import { type RemoteOptions, remote } from './options.ts';
import { print, printable, printJson } from './print.ts';

type Options = RemoteOptions & ExplainOptions;

/** Routers that did not get it, in the text; `--json` has more. */
const MAX_SHOWN = 10;

/** `proxy explain`: what would become of a request, and why. A worker of the running proxy says so; nothing is sent upstream. */
export function addExplain(program: Command): void {
  remote(
    program
      .command('explain')
      .description('say what the running proxy would do with a request, and why; nothing is sent to any server')
      .argument('<url>', 'as a client would ask for it: https://app.example/path?query')
      .option('--method <method>', 'GET unless told')
      .option('--header <line>', "a header, as 'Name: value'; may be given several times", collect)
      .option('--client-ip <address>', 'where the client connects from; 127.0.0.1 unless told')
      .option('--entrypoint <name>', 'the entry point, where its port is not the one of the URL'),
  ).action(async (url: string, options: Options) => {
    const { ok, data } = await callProxy(options, 'explain', readExplainRequest(url, options));
    if (!ok) throw new CommandError(EXIT.refused, String(data.message));
    const explained = data as unknown as Explained;
    if (options.json) printJson(explained);
    else for (const line of describeExplained(explained, Date.now())) print(printable(line));
  });
}

function collect(line: string, before: readonly string[] = []): readonly string[] {
  return [...before, line];
}

/** @param now milliseconds since the epoch */
export function describeExplained(explained: Explained, now: number): readonly string[] {
  const { entryPoint, tls, request, answer, router, middlewares, service } = explained;
  const lines: string[] = [];
  const add = (label: string, text: string): void => {
    lines.push(`${label.padEnd(12)} ${text}`);
  };
  const query = request.query === '' ? '' : `?${request.query}`;
  add(
    'request',
    `${request.method} ${request.path}${query} for ${request.host || '(no host)'}, from ${request.clientIp}`,
  );
  if (entryPoint !== null) add('entry point', `${entryPoint.name} on ${entryPoint.address}: ${entryPoint.why}`);
  for (const line of describeTls(tls, now)) add(line[0], line[1]);
  if (router !== null) {
    add('router', `${router.name}: the first in order whose rule is met (priority ${priorityText(router.priority)})`);
    add('', router.rule);
  } else if (answer?.code === 'PROXY_NO_ROUTE') add('router', 'none');
  for (const [i, { name, type }] of middlewares.entries())
    add(i === 0 ? 'middlewares' : '', `${i + 1}. ${name} (${type})`);
  if (service !== null) for (const line of describeService(service)) add(line[0], line[1]);
  if (answer !== null) {
    const what = answer.status === 0 ? 'no answer' : `${answer.status}`;
    add('answer', `${what}, by the proxy itself: ${answer.why} (${answer.code})`);
  }
  for (const [i, one] of explained.lost.slice(0, MAX_SHOWN).entries()) add(i === 0 ? 'not taken' : '', lostText(one));
  const more = explained.alsoLost + Math.max(0, explained.lost.length - MAX_SHOWN);
  if (more > 0) add('', `and ${more} more`);
  add('asked', `worker ${explained.worker}, snapshot version ${explained.version}`);
  return lines;
}

type Line = readonly [label: string, text: string];

function describeTls(tls: ExplainedTls | null, now: number): readonly Line[] {
  if (tls === null) return [['TLS', 'none: a plain request']];
  const auth = tls.clientAuth === 'NoClientCert' ? '' : `, client certificate: ${tls.clientAuth}`;
  const lines: Line[] = [['TLS', `server name ${tls.serverName ?? '(none)'}, options ${tls.options}${auth}`]];
  if (tls.certificate !== null) {
    const { names, origin, notAfter, expired, why } = tls.certificate;
    const days = Math.floor(Math.abs(notAfter - now) / 86_400_000);
    const expiry = expired
      ? `EXPIRED ${days} days ago`
      : `${days} days left, until ${new Date(notAfter).toISOString()}`;
    lines.push(['certificate', `${names.join(' ') || '(no name)'} from ${origin}: ${why}`], ['', expiry]);
  }
  return lines;
}

function describeService({ name, kind, endpoints, next }: ExplainedService): readonly Line[] {
  const lines: Line[] = [['service', kind === 'internal' ? `${name}, served by the proxy itself` : name]];
  if (kind === 'internal') return lines;
  for (const { url, weight, state, inFlight } of endpoints) {
    const chosen = url === next ? '  <- next in this worker' : '';
    lines.push(['', `${url} ${state}, weight ${weight}, ${inFlight} under way${chosen}`]);
  }
  if (next === null && endpoints.length > 1) lines.push(['', 'which of them depends on the request, or on chance']);
  return lines;
}

function lostText({ name, priority, matched, why }: LostRouter): string {
  return `${name} (priority ${priorityText(priority)}): ${matched ? 'its rule is met, but ' : ''}${why}`;
}

function priorityText(priority: number): string {
  return priority >= Number.MAX_SAFE_INTEGER - 2 ? 'max' : String(priority);
}
