import { send } from '../../../src/command/send.ts';
import type { ProxyStatus } from '../../../src/control/status.ts';
import type { LoadBalancer } from '../../../src/core/config/dynamic.ts';
import type { ProxyProcess } from '../../support/proxy.ts';
import { sendRaw } from '../../support/raw-client.ts';
import type { RawResponse } from '../../support/response-splitter.ts';

/** What a test writes of a loadBalancer. */
export type WrittenLoadBalancer = Partial<Record<keyof LoadBalancer, unknown>>;

/** A dynamic file: every request goes to `app`; further services by name. */
export function services(
  app: Record<string, unknown>,
  others: Record<string, Record<string, unknown>> = {},
  extra: { middlewares?: Record<string, unknown>; router?: Record<string, unknown> } = {},
): Record<string, unknown> {
  const { middlewares, router = {} } = extra;
  return {
    http: {
      routers: { all: { rule: 'PathPrefix(`/`)', service: 'app', ...router } },
      services: { app, ...others },
      ...(middlewares === undefined ? {} : { middlewares }),
    },
  };
}

/** A loadBalancer of these URLs. */
export function balanced(urls: readonly string[], options: WrittenLoadBalancer = {}): Record<string, unknown> {
  return { loadBalancer: { servers: urls.map((url) => ({ url })), ...options } };
}

/** One request on a connection of its own. */
export async function ask(
  port: number,
  options: { method?: string; path?: string; headers?: readonly string[]; body?: string } = {},
): Promise<RawResponse> {
  const { method = 'GET', path = '/', headers = [], body } = options;
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const head = [`${method} ${path} HTTP/1.1`, 'Host: a.test', 'Connection: close', ...headers, ...length].join('\r\n');
  const { responses } = await sendRaw({ port, methods: [method], chunks: [`${head}\r\n\r\n${body ?? ''}`] });
  const final = responses.find(({ status }) => status >= 200);
  if (final === undefined) throw new Error(`${method} ${path}: the connection ended without a response`);
  return final;
}

/** What `proxy status --json` prints, asked over the control socket. */
export async function statusOf(proxy: ProxyProcess): Promise<ProxyStatus> {
  const socket = `${proxy.env.RUNTIME_DIRECTORY}/${proxy.pid}/control.sock`;
  return (await send(socket, 'status', {}, 30_000)).data as unknown as ProxyStatus;
}
