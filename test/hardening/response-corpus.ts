import type { ResponseCase } from './response-case.ts';
import { FIELDS } from './responses/fields.ts';
import { FRAMING } from './responses/framing.ts';
import { INTERIMS } from './responses/interim.ts';
import { ODD } from './responses/odd.ts';
import { STATUS_LINE } from './responses/status-line.ts';

/** Every answer of an upstream that two parsers could read two ways, and odd ones that must pass, by family. */
export const RESPONSE_CORPUS: Readonly<Record<string, readonly ResponseCase[]>> = {
  'status line': STATUS_LINE,
  'field lines': FIELDS,
  'framing and what stands behind': FRAMING,
  'interim responses and upgrades': INTERIMS,
  'hidden framing, splitting, and odd ones': ODD,
};
