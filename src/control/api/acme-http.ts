import { type Answer, type InternalRequest, plainText, refuseMethod } from './answer.ts';
import type { ApiState } from './state.ts';

/** RFC 8555 section 8.3; tokens are base64url. */
const CHALLENGE = /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,256})$/;

/** `acme-http@internal`: answers the http-01 challenges under way, and nothing else. */
export function acmeHttp({ method, path }: InternalRequest, { keyAuthorization }: ApiState): Answer {
  const refusal = refuseMethod(method);
  if (refusal !== null) return refusal;
  const token = CHALLENGE.exec(path)?.[1];
  const answer = token === undefined ? undefined : keyAuthorization?.(token);
  return answer === undefined ? plainText(404, '404 page not found\n') : plainText(200, answer);
}
