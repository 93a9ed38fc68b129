import type { Diagnostic, Severity } from '../diagnostic.ts';
import { parseDuration } from './duration.ts';
import { formatPath, type Path, type Positions } from './paths.ts';
import type { ObjectShape, Shape } from './shape.ts';
import { GO_TEMPLATE_HINT } from './source.ts';
import { suggest } from './suggest.ts';

/** Most values that one file may hold, aliases counted each time they are used ("billion laughs"). */
export const MAX_VALUES = 4_000_000;

/** Most findings that one source is given; a file with more is given up. */
export const MAX_FINDINGS = 20_000;

/** Stands for "nothing was said": a null, or `false` for an object. */
export const ABSENT: unique symbol = Symbol('absent');

/** Thrown beyond MAX_VALUES or MAX_FINDINGS. */
export class TooManyValues extends Error {}

/** What is carried along while one source is decoded. */
export interface Decoding {
  readonly file: string | undefined;
  readonly positions: Positions;
  diagnostics: Diagnostic[];
  /** Values that may still be visited. */
  budget: number;
  /** Findings that may still be reported. */
  room: number;
}

export function decoding(file: string | undefined, positions: Positions): Decoding {
  return { file, positions, diagnostics: [], budget: MAX_VALUES, room: MAX_FINDINGS };
}

/**
 * Adds a diagnostic about what stands at `path`.
 *
 * @throws TooManyValues beyond MAX_FINDINGS
 */
export function report(
  state: Decoding,
  severity: Severity,
  code: string,
  path: Path,
  message: string,
  hint?: string,
  at: 'key' | 'value' = 'key',
): void {
  if (--state.room < 0) throw new TooManyValues();
  const place = state.file === undefined ? undefined : state.positions(path, at);
  state.diagnostics.push({
    severity,
    code,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(state.file === undefined ? {} : { file: state.file }),
    ...place,
    path: formatPath(path),
  });
}

/**
 * Brings a raw value into the form that the schema of `shape` expects, as Traefik's file decoder does: keys of objects
 * are matched whatever their case (keys of maps are names and stay), strings become numbers and booleans where those are
 * wanted and the other way round, a comma-separated string becomes a list, a null counts as absent.
 * Problems are reported to `state`; what cannot be used is `ABSENT`.
 *
 * @throws TooManyValues beyond MAX_VALUES or MAX_FINDINGS
 */
export function normalise(state: Decoding, shape: Shape, raw: unknown, path: Path): unknown {
  if (--state.budget < 0) throw new TooManyValues();
  if (raw === null || raw === undefined) return ABSENT;
  switch (shape.kind) {
    case 'object':
      return normaliseObject(state, shape, raw, path);
    case 'record':
      return normaliseRecord(state, shape.value, raw, path);
    case 'array':
      return normaliseArray(state, shape.item, raw, path);
    case 'any':
      return copyAny(state, raw, 0);
    default:
      return normaliseScalar(state, shape, raw, path);
  }
}

/** Says, in place of all that was not looked at any more, why a source was given up. */
export function reportTooMany(state: Decoding): void {
  state.room = 1;
  report(
    state,
    'error',
    'too-many-values',
    [],
    `there are more than ${MAX_VALUES} values or ${MAX_FINDINGS} findings, or aliases that contain themselves`,
  );
}

export function isPlainObject(raw: unknown): raw is Record<string, unknown> {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return false;
  const prototype: unknown = Object.getPrototypeOf(raw);
  return prototype === null || prototype === Object.prototype;
}

function normaliseObject(state: Decoding, shape: ObjectShape, raw: unknown, path: Path): unknown {
  // Traefik's "allow empty" sections can be switched by a boolean: `tls: true`.
  if (raw === true || raw === 'true') return {};
  if (raw === false || raw === 'false') return ABSENT;
  if (!isPlainObject(raw)) return wrongType(state, path, raw, 'a section with keys');
  const out: Record<string, unknown> = {};
  const spelled = new Map<string, string>();
  for (const key of Object.keys(raw)) {
    const field = shape.fields.get(key.toLowerCase());
    if (field === undefined) {
      unknownKey(state, shape, key, path);
      continue;
    }
    const earlier = spelled.get(field.name);
    if (earlier !== undefined) {
      report(
        state,
        'error',
        'duplicate-key',
        [...path, key],
        `\`${key}\` and \`${earlier}\` are the same key: case does not count`,
        'keep one of the two',
      );
      continue;
    }
    spelled.set(field.name, key);
    const at = [...path, field.name];
    const value = raw[key];
    if (value === null && field.presence) {
      report(
        state,
        'warning',
        'null-section',
        at,
        `\`${key}\` has no value, which is the same as leaving it out`,
        `write \`${key}: {}\` to switch it on with its defaults`,
      );
    }
    const decoded = normalise(state, field.shape, value, at);
    if (decoded !== ABSENT) out[field.name] = decoded;
  }
  return out;
}

function normaliseRecord(state: Decoding, shape: Shape, raw: unknown, path: Path): unknown {
  if (raw === true || raw === 'true') return {};
  if (raw === false || raw === 'false') return ABSENT;
  if (!isPlainObject(raw)) return wrongType(state, path, raw, 'a section with names as keys');
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(raw)) {
    const at = [...path, key];
    if (key === '__proto__') {
      report(state, 'error', 'bad-name', at, '`__proto__` cannot be used as a name');
      continue;
    }
    const decoded = normalise(state, shape, raw[key], at);
    if (decoded !== ABSENT) out[key] = decoded;
    else if (raw[key] === null) nullEntry(state, shape, key, at);
  }
  return out;
}

/** Says that a map entry without a value is skipped. */
export function nullEntry(state: Decoding, shape: Shape, key: string, path: Path): void {
  const scalar = shape.kind !== 'object' && shape.kind !== 'record' && shape.kind !== 'any';
  report(
    state,
    'warning',
    'null-entry',
    path,
    `\`${key}\` has no value and is skipped`,
    scalar ? 'write "" for an empty value' : 'fill it in, or remove it',
  );
}

function normaliseArray(state: Decoding, item: Shape, raw: unknown, path: Path): unknown {
  const scalarItems = item.kind !== 'object' && item.kind !== 'record' && item.kind !== 'array' && item.kind !== 'any';
  let items: readonly unknown[];
  if (Array.isArray(raw)) items = raw;
  else if (scalarItems && typeof raw === 'string') items = raw.trim() === '' ? [] : raw.split(',');
  else if (scalarItems && (typeof raw === 'number' || typeof raw === 'boolean')) items = [raw];
  else return wrongType(state, path, raw, 'a list', isPlainObject(raw) ? 'put `- ` before its first key' : undefined);
  const out: unknown[] = [];
  items.forEach((value, index) => {
    const at = Array.isArray(raw) ? [...path, index] : path;
    const decoded = normalise(state, item, typeof value === 'string' && scalarItems ? value.trim() : value, at);
    if (decoded !== ABSENT) out.push(decoded);
    else if (value === null)
      report(state, 'error', 'null-entry', at, 'the list has an item without a value', 'fill it in, or remove the `-`');
  });
  return out;
}

function normaliseScalar(
  state: Decoding,
  shape: Exclude<Shape, { kind: 'object' | 'record' | 'array' | 'any' }>,
  raw: unknown,
  path: Path,
): unknown {
  if (typeof raw === 'bigint') raw = String(raw);
  if (typeof raw !== 'string' && typeof raw !== 'number' && typeof raw !== 'boolean') {
    return wrongType(
      state,
      path,
      raw,
      EXPECTED[shape.kind] ?? 'a value',
      raw instanceof Date ? 'put it in quotes' : undefined,
    );
  }
  if (typeof raw === 'string' && hasTemplate(raw)) {
    report(
      state,
      'error',
      'go-template',
      path,
      `${nameOf(path)} contains a Go template (\`{{ … }}\`)`,
      GO_TEMPLATE_HINT,
      'value',
    );
    return ABSENT;
  }
  switch (shape.kind) {
    case 'string':
      return String(raw);
    case 'boolean':
      return (
        toBoolean(raw) ??
        wrongType(state, path, raw, 'true or false', YES_NO.test(String(raw)) ? 'write true or false' : undefined)
      );
    case 'number': {
      const number = typeof raw === 'string' && NUMBER.test(raw.trim()) ? Number(raw) : raw;
      return typeof number === 'number' ? number : wrongType(state, path, raw, 'a number');
    }
    case 'duration':
      if (typeof raw !== 'boolean' && parseDuration(raw) !== undefined) return raw;
      return wrongType(
        state,
        path,
        raw,
        'a duration',
        'write for example 30s, 1m30s or 100ms; a whole number means seconds',
      );
    case 'enum':
      return toMember(state, shape.values, String(raw), path);
  }
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'a text',
  boolean: 'true or false',
  number: 'a number',
  duration: 'a duration',
  enum: 'a word',
};

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const YES_NO = /^(yes|no|on|off|y|n)$/i;

/** What Go's `strconv.ParseBool` takes. */
function toBoolean(raw: string | number | boolean): boolean | undefined {
  if (typeof raw === 'boolean') return raw;
  const text = String(raw);
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  return undefined;
}

function toMember(state: Decoding, values: readonly string[], text: string, path: Path): unknown {
  if (values.includes(text)) return text;
  const folded = text.toLowerCase();
  const same = values.find((value) => value.toLowerCase() === folded);
  if (same !== undefined) return same;
  const near = suggest(text, values);
  report(
    state,
    'error',
    'bad-value',
    path,
    `${nameOf(path)} must be one of ${values.join(', ')}, not ${shown(text)}`,
    near === undefined ? undefined : `did you mean ${near}?`,
    'value',
  );
  return ABSENT;
}

function unknownKey(state: Decoding, shape: ObjectShape, key: string, path: Path): void {
  const inner = deeper(shape, key.toLowerCase(), 2);
  const near = inner ?? suggest(key, shape.names);
  report(
    state,
    'error',
    'unknown-key',
    [...path, key],
    `unknown key ${shown(key)}${path.length === 0 ? '' : ` in ${formatPath(path)}`}`,
    near !== undefined
      ? `did you mean \`${near}\`?`
      : shape.names.length === 0
        ? 'no keys are known here'
        : shape.names.length <= 12
          ? `known here: ${shape.names.join(', ')}`
          : undefined,
  );
}

/** Where a key that is unknown here is known some levels down: `certResolver` of a router belongs in `tls`. */
function deeper(shape: ObjectShape, key: string, levels: number): string | undefined {
  if (levels === 0) return undefined;
  for (const field of shape.fields.values()) {
    if (field.shape.kind !== 'object') continue;
    const hit = field.shape.fields.get(key);
    if (hit !== undefined) return `${field.name}.${hit.name}`;
    const below = deeper(field.shape, key, levels - 1);
    if (below !== undefined) return `${field.name}.${below}`;
  }
  return undefined;
}

function wrongType(state: Decoding, path: Path, raw: unknown, expected: string, hint?: string): typeof ABSENT {
  report(state, 'error', 'wrong-type', path, `${nameOf(path)} must be ${expected}, not ${shown(raw)}`, hint, 'value');
  return ABSENT;
}

/** The last part of a path, as it is named in a message. */
function nameOf(path: Path): string {
  const last = path.at(-1);
  if (last === undefined) return 'the configuration';
  return typeof last === 'number' ? `item ${last + 1} of \`${String(path.at(-2) ?? '')}\`` : `\`${last}\``;
}

/** A value as it is shown in a message: short. */
function shown(raw: unknown): string {
  if (Array.isArray(raw)) return 'a list';
  if (raw instanceof Date) return 'a date';
  if (typeof raw === 'object' && raw !== null) return 'a section with keys';
  const text = typeof raw === 'string' ? JSON.stringify(raw) : String(raw);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** Whether a text holds a Go template action. Version 2 rules (`{host:.+}`) have single braces and are none. */
function hasTemplate(text: string): boolean {
  const open = text.indexOf('{{');
  return open !== -1 && text.indexOf('}}', open + 2) !== -1;
}

/** Copies a value that no schema describes, within the budget and without rings. */
function copyAny(state: Decoding, raw: unknown, depth: number): unknown {
  if (--state.budget < 0 || depth > 50) throw new TooManyValues();
  if (Array.isArray(raw)) return raw.map((item) => copyAny(state, item, depth + 1));
  if (isPlainObject(raw)) {
    const out: Record<string, unknown> = {};
    for (const key of Object.keys(raw)) if (key !== '__proto__') out[key] = copyAny(state, raw[key], depth + 1);
    return out;
  }
  return raw;
}
