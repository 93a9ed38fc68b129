import { type Answer, type InternalRequest, plainText } from './answer.ts';
import type { ApiState } from './state.ts';

/** `ping@internal`: whether new requests are welcome. On any path, with any method. */
export function ping(_request: InternalRequest, { draining, terminatingStatusCode }: ApiState): Answer {
  if (!draining) return plainText(200, 'OK');
  return plainText(terminatingStatusCode, 'Service Unavailable');
}
