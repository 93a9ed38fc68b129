import { type Explained, type ExplainRequest, explainRequestSchema } from '../../core/explain.ts';
import { OperatorError } from '../../core/operator-error.ts';
import { maskText } from '../api/redact.ts';
import type { CommandAnswer } from './server.ts';

/**
 * `proxy explain`: a worker says what it would do with a request.
 *
 * @param ask asks a worker
 */
export async function explainVerb(
  ask: (request: ExplainRequest) => Promise<Explained>,
  args: Readonly<Record<string, unknown>>,
): Promise<CommandAnswer> {
  const request = explainRequestSchema.safeParse(args);
  if (!request.success) {
    const { path, message } = request.error.issues[0]!;
    return { ok: false, message: `${path.join('.')}: ${message}` };
  }
  try {
    const explained = await ask(request.data);
    const { service } = explained;
    const data: Explained = service === null ? explained : { ...explained, service: masked(service) };
    return explained.entryPoint === null
      ? { ok: false, message: explained.answer?.why ?? 'there is no entry point for it', data }
      : { ok: true, data };
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return { ok: false, message: error.message };
  }
}

/** A server's URL may hold a password. */
function masked(service: NonNullable<Explained['service']>): NonNullable<Explained['service']> {
  const endpoints = service.endpoints.map((endpoint) => ({ ...endpoint, url: maskText(endpoint.url) }));
  return { ...service, endpoints, next: service.next === null ? null : maskText(service.next) };
}
