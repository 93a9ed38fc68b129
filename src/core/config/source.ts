import { YAMLException } from 'js-yaml';
import { TomlError } from 'smol-toml';
import type { Diagnostic } from '../diagnostic.ts';
import { type Positions, positionsIn } from './paths.ts';
import { parseToml, tomlPlaces } from './toml.ts';
import { parseYaml, yamlPlaces } from './yaml.ts';

/** Longest text that is parsed, in UTF-16 units: some 80,000 routers. */
export const MAX_SOURCE_LENGTH = 16 * 1024 * 1024;

/** A file's text as a plain value, and where its parts stand. */
export interface Source {
  /** `null` for an empty file, `undefined` where the text cannot be parsed. */
  readonly value: unknown;
  readonly positions: Positions;
  readonly diagnostics: readonly Diagnostic[];
}

export const GO_TEMPLATE_HINT =
  'Go templates are not rendered here: write the values out, or render the file before it is put in place';

const nowhere: Positions = () => undefined;

/**
 * Parses a configuration file: TOML where its name ends in `.toml`, otherwise YAML (of which JSON is a part).
 * Never throws: what is wrong comes back as diagnostics, with file, line and column.
 */
export function parseSource(file: string, text: string): Source {
  if (text.length > MAX_SOURCE_LENGTH) {
    return failed({
      severity: 'error',
      code: 'file-too-large',
      file,
      message: `the file has ${text.length} characters; the limit is ${MAX_SOURCE_LENGTH}`,
      hint: 'split it into several files in one directory',
    });
  }
  // A byte order mark becomes a space, so that offsets stay what they are.
  const body = text.charCodeAt(0) === 0xfeff ? ` ${text.slice(1)}` : text;
  try {
    return /\.toml$/i.test(file) ? fromToml(body) : fromYaml(file, body);
  } catch (error) {
    return failed(...explain(file, body, error));
  }
}

function fromToml(text: string): Source {
  return { value: parseToml(text), positions: positionsIn(text, () => tomlPlaces(text)), diagnostics: [] };
}

function fromYaml(file: string, text: string): Source {
  // Only a comment, a `---` or nothing at all: an empty configuration.
  const { value, events, documents } = parseYaml(file, text);
  const positions = positionsIn(text, () => yamlPlaces(text, events));
  const diagnostics: Diagnostic[] = [];
  if (documents > 1) {
    diagnostics.push({
      severity: 'warning',
      code: 'several-documents',
      file,
      message: `the file has ${documents} YAML documents; only the first is read`,
      hint: 'remove the `---` lines, or split the file',
    });
  }
  return { value, positions, diagnostics };
}

function failed(...diagnostics: Diagnostic[]): Source {
  return { value: undefined, positions: nowhere, diagnostics };
}

function explain(file: string, text: string, error: unknown): Diagnostic[] {
  const found: Diagnostic[] = [];
  const template = templateLine(text);
  if (template !== undefined) {
    found.push({
      severity: 'error',
      code: 'go-template',
      file,
      ...template,
      message: 'the file contains a Go template (`{{`)',
      hint: GO_TEMPLATE_HINT,
    });
  }
  if (error instanceof YAMLException) {
    const duplicate = /duplicate/i.test(error.reason);
    found.push({
      severity: 'error',
      code: duplicate ? 'duplicate-key' : 'syntax',
      file,
      ...(error.mark === undefined ? {} : { line: error.mark.line + 1, column: error.mark.column + 1 }),
      message: duplicate ? 'the same key stands here twice' : `not valid YAML: ${error.reason}`,
      ...(duplicate ? { hint: 'keep one of the two' } : yamlHint(text, error)),
    });
  } else if (error instanceof TomlError) {
    const reason = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '');
    const duplicate = /redefine|already defined/i.test(reason);
    found.push({
      severity: 'error',
      code: duplicate ? 'duplicate-key' : 'syntax',
      file,
      line: error.line,
      column: error.column,
      message: `not valid TOML: ${reason}`,
    });
  } else {
    found.push({ severity: 'error', code: 'syntax', file, message: `cannot be parsed: ${String(error)}` });
  }
  return found;
}

/** What usually is behind a YAML error, judged by the line it is on. */
function yamlHint(text: string, error: YAMLException): { hint: string } | Record<string, never> {
  const line = text.split('\n', (error.mark?.line ?? 0) + 1).at(-1) ?? '';
  if (/^ *\t/.test(line)) return { hint: 'indent with spaces: YAML does not allow tabs' };
  if (/:\s*`/.test(line)) return { hint: 'a value cannot start with a backtick: put it in quotes' };
  return {};
}

/** The first `{{` that is not in a comment. */
function templateLine(text: string): { line: number; column: number } | undefined {
  if (!text.includes('{{')) return undefined;
  const lines = text.split('\n');
  for (let index = 0; index < lines.length; index++) {
    const column = lines[index]!.replace(/(^|\s)#.*$/, '$1').indexOf('{{');
    if (column !== -1) return { line: index + 1, column: column + 1 };
  }
  return undefined;
}
