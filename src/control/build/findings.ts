import { formatPath, type Path } from '../../core/config/paths.ts';
import { suggest } from '../../core/config/suggest.ts';
import type { Diagnostic, Position, Severity } from '../../core/diagnostic.ts';
import type { Status } from '../../core/snapshot.ts';

/** Where an object of the configuration stands, and how to find its parts. */
export interface Place {
  /** From the top of the file: `['http', 'routers', 'api']`. */
  readonly path: Path;
  /** Absent where it stands in no file: a flag, an environment variable, or something built in. */
  readonly file?: string;
  readonly locate?: (path: Path, at?: 'key' | 'value') => Position | undefined;
  /** A line of the file, counted from 1, so that an offset inside a value can be told as a column. */
  readonly line?: (line: number) => string | undefined;
}

/** What is not in every finding. */
export interface Detail {
  readonly hint?: string | undefined;
  /** From the object: `['rule']`. */
  readonly at?: Path;
  /** Point at the value instead of its key. */
  readonly value?: boolean;
  /** Point inside the value: UTF-16 units from the start of `inside`, which is the value as decoded. */
  readonly offset?: number;
  readonly inside?: string;
}

/** Edit distances to thousands of names cost time: a file full of wrong names gets this many suggestions. */
const MAX_SUGGESTIONS = 50;

/** Collects what one build finds. */
export class Findings {
  readonly diagnostics: Diagnostic[] = [];
  #suggestions = 0;

  add(severity: Severity, code: string, message: string, place: Place, detail: Detail = {}): void {
    this.diagnostics.push({
      severity,
      code,
      message,
      ...(detail.hint === undefined ? {} : { hint: detail.hint }),
      ...pointTo(place, detail),
    });
  }

  /**
   * `did you mean …?` for a name that does not exist, where one is near.
   *
   * @param candidates asked for only where they are looked at: to list thousands of names for each wrong one takes seconds
   */
  didYouMean(name: string, candidates: () => Iterable<string>): string | undefined {
    if (this.#suggestions >= MAX_SUGGESTIONS) return undefined;
    this.#suggestions++;
    const near = suggest(name, candidates());
    return near === undefined ? undefined : `did you mean \`${near}\`?`;
  }
}

/** One object under check: each finding becomes a diagnostic and a line of the object's own errors, as the API shows them. */
export class Subject {
  readonly findings: Findings;
  readonly place: Place;
  readonly errors: string[] = [];
  status: Status = 'enabled';

  constructor(findings: Findings, place: Place) {
    this.findings = findings;
    this.place = place;
  }

  /** The object cannot be served. */
  error(code: string, message: string, detail?: Detail): void {
    this.findings.add('error', code, message, this.place, detail);
    this.disable(message);
  }

  /** The object is served all the same. */
  warning(code: string, message: string, detail?: Detail): void {
    this.findings.add('warning', code, message, this.place, detail);
    this.degrade(message);
  }

  /** Part of the object is left out; the rest is served. */
  partial(code: string, message: string, detail?: Detail): void {
    this.findings.add('error', code, message, this.place, detail);
    this.degrade(message);
  }

  /** As `error`, for what has its diagnostic already. */
  disable(message: string): void {
    if (!this.errors.includes(message)) this.errors.push(message);
    this.status = 'disabled';
  }

  /** Takes over what another part of the program found about this object; an error disables it. */
  adopt(diagnostics: readonly Diagnostic[]): void {
    for (const diagnostic of diagnostics) {
      this.findings.diagnostics.push(diagnostic);
      if (diagnostic.severity === 'error') this.disable(diagnostic.message);
      else if (diagnostic.severity === 'warning') this.degrade(diagnostic.message);
    }
  }

  degrade(message: string): void {
    if (!this.errors.includes(message)) this.errors.push(message);
    if (this.status === 'enabled') this.status = 'warning';
  }
}

/** An object of the configuration that is written nowhere. */
export function builtIn(...path: (string | number)[]): Place {
  return { path };
}

/** The place as a diagnostic carries it. */
export function pointTo(place: Place, detail: Detail = {}): Pick<Diagnostic, 'file' | 'line' | 'column' | 'path'> {
  const path = detail.at === undefined ? place.path : [...place.path, ...detail.at];
  const position = locate(place, path, detail) ?? (place.file === undefined ? {} : { file: place.file });
  return { ...position, path: formatPath(path) };
}

function locate(place: Place, path: Path, detail: Detail): Position | undefined {
  const position = place.locate?.(path, detail.value === true || detail.offset !== undefined ? 'value' : 'key');
  if (position === undefined || detail.offset === undefined) return position;
  const line = place.line?.(position.line);
  if (line === undefined) return position;
  return { ...position, column: insideScalar(line, position.column, detail.inside ?? '', detail.offset) };
}

/** The column of an offset inside a value, where the line spells the value up to there as it is; else of the value itself. */
function insideScalar(line: string, column: number, value: string, offset: number): number {
  const quotes = /^(?:"""|'''|"|')/.exec(line.slice(column - 1, column + 2))?.[0].length ?? 0;
  return line.startsWith(value.slice(0, offset), column - 1 + quotes) ? column + quotes + offset : column;
}
