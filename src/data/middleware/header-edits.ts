import { normalizeHost } from '../../core/host.ts';
import type { Exchange } from '../exchange.ts';
import { alikeName, type HeaderList } from '../headers/header-list.ts';
import { H, HOP_BY_HOP, identifyName } from '../headers/known.ts';
import { HOST_LITERAL, HOST_NAME } from '../http1/chars.ts';
import { fieldName, fieldValue } from './config-value.ts';
import type { MiddlewareContext } from './types.ts';

/** One prepared change of a header list. */
export interface HeaderEdit {
  readonly name: string;
  readonly lower: string;
  /** By {@link alikeName}. */
  readonly alike: string;
  /** null removes. */
  readonly value: string | null;
}

/** @throws where the name or the value is invalid */
export function headerEdit(name: string, value: string | null, where: string): HeaderEdit {
  const checked = fieldName(name, where);
  return {
    name: checked,
    lower: checked.toLowerCase(),
    alike: alikeName(checked),
    value: value === null ? null : fieldValue(value, `${where}.${name}`),
  };
}

/**
 * The changes that a map of custom headers asks for; an empty value removes. `Host` is not among them: see {@link hostEdit}.
 * Headers that frame the message belong to the codecs: they are left out, with a warning.
 */
export function customEdits(
  map: Readonly<Record<string, string>>,
  where: string,
  context: MiddlewareContext,
): readonly HeaderEdit[] {
  const edits: HeaderEdit[] = [];
  for (const [name, value] of Object.entries(map)) {
    const edit = headerEdit(name, value === '' ? null : value, where);
    const id = identifyName(edit.lower);
    if (id === H.HOST) continue;
    if (HOP_BY_HOP[id] === 1 || id === H.CONTENT_LENGTH || id === H.TRAILER || id === H.EXPECT) {
      context.log('warn', `${where}: ${edit.name} is made by the proxy and cannot be set; the entry has no effect`, {
        middleware: context.name,
      });
      continue;
    }
    edits.push(edit);
  }
  return edits;
}

/** The authority that a custom request header `Host` sets; null where there is none or it is empty. */
export function hostEdit(
  map: Readonly<Record<string, string>>,
): { readonly authority: string; readonly host: string } | null {
  let authority = '';
  for (const [name, value] of Object.entries(map)) if (name.trim().toLowerCase() === 'host') authority = value.trim();
  if (authority === '') return null;
  if (!isAuthority(authority)) {
    throw new Error(
      `headers.customRequestHeaders.Host: ${JSON.stringify(authority)} is not a host name with or without a port`,
    );
  }
  return { authority, host: normalizeHost(authority) };
}

/**
 * Changes the authority that the upstream gets. X-Forwarded-Host and -Port go on telling what the client asked for: the head
 * writer would make them from the new one.
 */
export function setHost(exchange: Exchange, to: { readonly authority: string; readonly host: string }): void {
  const { headers, authority } = exchange;
  if (headers.getKnown(H.X_FORWARDED_HOST) === undefined) headers.append('X-Forwarded-Host', authority);
  if (headers.getKnown(H.X_FORWARDED_PORT) === undefined) {
    const proto = headers.getKnown(H.X_FORWARDED_PROTO);
    const secure = exchange.secure || proto === 'https' || proto === 'wss';
    headers.append('X-Forwarded-Port', /:([0-9]+)$/.exec(authority)?.[1] ?? (secure ? '443' : '80'));
  }
  exchange.authority = to.authority;
  exchange.host = to.host;
}

function isAuthority(text: string): boolean {
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::[0-9]{1,5})?$/.exec(text);
  if (parts === null) return false;
  const table = parts[1] === undefined ? HOST_NAME : HOST_LITERAL;
  for (const c of parts[1] ?? parts[2] ?? '') if (table[c.charCodeAt(0)] !== 1) return false;
  return true;
}

/** As {@link applyEdits}; what a client wrote with `_` for `-` goes too: a backend may take it for what is said here. */
export function applyRequestEdits(list: HeaderList, edits: readonly HeaderEdit[]): void {
  for (let i = 0; i < edits.length; i++) list.deleteAlike(edits[i]!.alike);
  applyEdits(list, edits);
}

export function applyEdits(list: HeaderList, edits: readonly HeaderEdit[]): void {
  for (let i = 0; i < edits.length; i++) {
    const edit = edits[i]!;
    list.delete(edit.lower);
    if (edit.value !== null) list.append(edit.name, edit.value);
  }
}
