import { relative } from 'node:path';
import type { Command } from 'commander';
import { type Diagnostic, formatDiagnostic } from '../core/diagnostic.ts';
import type { Checked } from './check-files.ts';
import { excerpt } from './excerpt.ts';
import { EXIT } from './exit-code.ts';
import { print, printable, printJson, terminalWidth } from './print.ts';

interface Options {
  readonly config?: string;
  readonly json?: true;
  readonly strict?: true;
}

/** `proxy check`: says all that is wrong with a configuration, without running it. */
export function addCheck(program: Command): void {
  program
    .command('check')
    .description('check static and dynamic files without running anything: what is wrong, where, and what to do')
    .argument('[path...]', 'files, or directories of dynamic files; without any, what `run` would read')
    .option('--config <file>', 'the static file that the paths belong to')
    .option('--strict', 'warnings fail the check too')
    .option('--json', 'print the findings as JSON')
    .action(check);
}

async function check(paths: readonly string[], options: Options): Promise<void> {
  // Loaded here: the other verbs are quicker without it.
  const { checkFiles } = await import('./check-files.ts');
  const checked = await checkFiles(paths, options.config, process.env);
  const summary = summarize(checked);
  const failed = summary.errors > 0 || (options.strict === true && summary.warnings > 0);
  if (options.json) printJson({ ok: !failed, ...summary, diagnostics: checked.diagnostics });
  else {
    const lineOf = linesOf(checked.texts);
    for (const diagnostic of checked.diagnostics) print(show(diagnostic, lineOf));
    print(sentence(summary));
  }
  process.exitCode = failed ? EXIT.refused : EXIT.fine;
}

interface Summary {
  readonly errors: number;
  readonly warnings: number;
  readonly notes: number;
  readonly files: number;
  readonly routers: number;
  readonly services: number;
  readonly certificates: number;
}

function summarize({ diagnostics, outcome, texts }: Checked): Summary {
  const count = (severity: Diagnostic['severity']): number => diagnostics.filter((d) => d.severity === severity).length;
  const { routers = {}, services = {} } = outcome?.snapshot.http ?? {};
  return {
    errors: count('error'),
    warnings: count('warning'),
    notes: count('info'),
    files: texts.size,
    routers: Object.keys(routers).filter((name) => !name.endsWith('@internal')).length,
    services: Object.values(services).filter((service) => service.kind === 'configured').length,
    certificates: outcome?.snapshot.tls.certificates.length ?? 0,
  };
}

function sentence(summary: Summary): string {
  const many = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  const found = [many(summary.errors, 'error'), many(summary.warnings, 'warning'), many(summary.notes, 'note')];
  const read = [
    many(summary.files, 'file'),
    many(summary.routers, 'router'),
    many(summary.services, 'service'),
    many(summary.certificates, 'certificate'),
  ];
  return `${found.join(', ')}; ${read.join(', ')}`;
}

function show(diagnostic: Diagnostic, lineOf: (file: string, line: number) => string | undefined): string {
  const { file, line, column } = diagnostic;
  const text = printable(formatDiagnostic(file === undefined ? diagnostic : { ...diagnostic, file: shorten(file) }));
  const source = file === undefined || line === undefined ? undefined : lineOf(file, line);
  return source === undefined ? text : `${text}\n${excerpt(source, line!, column ?? 1, terminalWidth())}`;
}

/** Lines of files, counted from 1; each file is split once, however many findings it has. */
function linesOf(texts: ReadonlyMap<string, string>): (file: string, line: number) => string | undefined {
  const split = new Map<string, readonly string[]>();
  return (file, line) => {
    let lines = split.get(file);
    if (lines === undefined) {
      lines = texts.get(file)?.split(/\r?\n/) ?? [];
      split.set(file, lines);
    }
    return lines[line - 1];
  };
}

/** A path as the operator would type it. */
function shorten(file: string): string {
  const near = relative(process.cwd(), file);
  return near.startsWith('..') || near.length >= file.length ? file : near;
}
