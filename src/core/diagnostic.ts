/** How much a finding matters: `error` disables what it concerns, `warning` is acted around, `info` is only said. */
export type Severity = 'error' | 'warning' | 'info';

/** A place in a file. Lines and columns count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One finding about the configuration: what is wrong, where, and what to do. */
export interface Diagnostic {
  readonly severity: Severity;
  /** Stable, kebab-case, for example `unknown-key`. */
  readonly code: string;
  readonly message: string;
  /** What to do about it, where that is known. */
  readonly hint?: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** Where in the configuration, for example `http.routers.api.rule`. */
  readonly path?: string;
}

/** Renders a diagnostic on one line: `file:line:column: error: message (hint)`. */
export function formatDiagnostic(d: Diagnostic): string {
  const place = d.file === undefined ? '' : `${d.file}${d.line === undefined ? '' : `:${d.line}:${d.column ?? 1}`}: `;
  return `${place}${d.severity}: ${d.message}${d.hint === undefined ? '' : ` (${d.hint})`}`;
}
