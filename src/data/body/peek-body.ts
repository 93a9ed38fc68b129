import type { Exchange } from '../exchange.ts';
import { HeaderList } from '../headers/header-list.ts';
import { record } from './record.ts';

/**
 * Looks at the beginning of a request's JSON body before the request goes anywhere; whoever answers then gets all of it.
 * Bodies that are not JSON, or are compressed, are not looked at.
 *
 * @param limit bytes that are waited for at most
 * @param isEnough asked with what has come, now and then as it grows
 * @param done called with what has come, an empty buffer where it was not looked at; at once, or later
 */
export function peekBody(
  exchange: Exchange,
  limit: number,
  isEnough: (text: Buffer) => boolean,
  done: (text: Buffer) => void,
): void {
  if (exchange.body === 'none' || !isJson(exchange)) {
    done(Buffer.alloc(0));
    return;
  }
  // A client that asks whether to send its body would wait for ever: nobody else is there to ask.
  if (exchange.expectsContinue) exchange.response.inform(100, 'Continue', HeaderList.of());
  const body = record(exchange, limit);
  let looked = 0;
  let gone = false;
  exchange.onCancel = () => {
    gone = true;
  };
  body.peek({
    isEnough: () => {
      // Each look is at the whole: as it doubles, so that many small pieces cost no more than few.
      if (body.size < looked * 2) return false;
      looked = body.size;
      return isEnough(body.bytes);
    },
    done: () => {
      if (gone || exchange.finished) return;
      exchange.onCancel = null;
      done(body.bytes);
    },
  });
}

function isJson({ headers }: Exchange): boolean {
  const type = headers.get('content-type')?.toLowerCase() ?? '';
  const coding = headers.get('content-encoding')?.toLowerCase() ?? 'identity';
  return /^application\/(?:json|[\w.+-]*\+json)\s*(?:;|$)/.test(type) && coding === 'identity';
}
