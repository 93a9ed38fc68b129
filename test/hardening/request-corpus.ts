import type { RequestCase } from './request-case.ts';
import { CHUNKED } from './requests/chunked.ts';
import { DESYNC } from './requests/desync.ts';
import { FIELDS } from './requests/fields.ts';
import { FRAMING } from './requests/framing.ts';
import { HOSTS } from './requests/host.ts';
import { LENIENCY } from './requests/leniency.ts';
import { LIMITS } from './requests/limits.ts';
import { ORDINARY } from './requests/ordinary.ts';
import { REQUEST_LINE } from './requests/request-line.ts';
import { SWITCHING } from './requests/switching.ts';

/** Every request that two parsers could read two ways, and odd ones that must be served, by family. */
export const REQUEST_CORPUS: Readonly<Record<string, readonly RequestCase[]>> = {
  'request line': REQUEST_LINE,
  'host and target': HOSTS,
  'field lines': FIELDS,
  framing: FRAMING,
  'desync research': DESYNC,
  'upgrades and expectations': SWITCHING,
  'chunked coding': CHUNKED,
  limits: LIMITS,
  'odd and valid': ORDINARY,
  'valid, and seldom seen': LENIENCY,
};
