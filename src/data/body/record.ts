import type { Exchange } from '../exchange.ts';
import { BodyMemory } from './body-memory.ts';
import { RecordedBody } from './recorded-body.ts';

/** Bytes of bodies that one worker keeps for another attempt, another service, or a look at them. */
const MOST_BYTES = 128 * 1024 * 1024;

const memory = new BodyMemory(MOST_BYTES);

/** Keeps the body of a request as it passes, up to `limit` bytes and while there is room, until the exchange is over. Before it is read. */
export function record(exchange: Exchange, limit: number): RecordedBody {
  const body = new RecordedBody(exchange.source, limit, memory);
  exchange.source = body;
  exchange.onOver(() => body.release());
  return body;
}
