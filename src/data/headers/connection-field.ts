import { type HeaderList, mark } from './header-list.ts';
import { FORWARDED, H, identifyName } from './known.ts';
import { trimSpace } from './white-space.ts';

/** What a Connection field says (RFC 9110 §7.6.1). */
export interface ConnectionField {
  readonly close: boolean;
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
}

/** What frames, routes or sequences a message, and the time it was made. */
const KEPT = mark(H.HOST, H.CONTENT_LENGTH, H.EXPECT, H.DATE);

const FEW = 8;

const NONE: ConnectionField = { close: false, keepAlive: false, upgrade: false };
const KEEP_ALIVE: ConnectionField = { close: false, keepAlive: true, upgrade: false };
const CLOSE: ConnectionField = { close: true, keepAlive: false, upgrade: false };

/**
 * Reads the Connection fields and removes the headers they name. They cannot remove what frames or routes the message, nor
 * what the proxy itself vouches for (CVE-2024-45410).
 */
export function takeConnectionField(headers: HeaderList): ConnectionField {
  const value = headers.joinKnown(H.CONNECTION);
  if (value === undefined) return NONE;
  if (value === 'keep-alive' || value === 'Keep-Alive') return KEEP_ALIVE;
  if (value === 'close') return CLOSE;
  let close = false;
  let keepAlive = false;
  let upgrade = false;
  // To take out each of many options by itself would cost their number times that of the fields.
  const options = value.split(',');
  const many: Set<string> | null = options.length > FEW ? new Set() : null;
  for (const raw of options) {
    const token = trimSpace(raw).toLowerCase();
    switch (token) {
      case '':
        break;
      case 'close':
        close = true;
        break;
      case 'keep-alive':
        keepAlive = true;
        break;
      case 'upgrade':
        upgrade = true;
        break;
      default: {
        const id = identifyName(token);
        if (FORWARDED[id] === 1 || KEPT[id] === 1) break;
        if (many === null) headers.delete(token);
        else many.add(token);
      }
    }
  }
  if (many !== null) headers.deleteNames(many);
  return { close, keepAlive, upgrade };
}
