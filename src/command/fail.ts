import { CommanderError } from 'commander';
import { formatDiagnostic } from '../core/diagnostic.ts';
import { OperatorError } from '../core/operator-error.ts';
import { StaticConfigError } from '../core/static-config-error.ts';
import { EXIT, type ExitCode } from './exit-code.ts';

/** Ends a verb with one line and an exit code. */
export class CommandError extends OperatorError {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** One clear line, or the findings; never a stack trace for what an operator can mend. */
export function fail(error: unknown): never {
  if (error instanceof CommanderError) {
    // Help and version come this way too: they are printed already.
    if (error.exitCode === 0) process.exit(EXIT.fine);
    console.error(`proxy: ${usageProblem(error.message)}`);
    process.exit(EXIT.usage);
  }
  if (error instanceof StaticConfigError) failStatic(error);
  if (error instanceof OperatorError) {
    console.error(`proxy: ${error.message}`);
    process.exit(error instanceof CommandError ? error.exitCode : EXIT.refused);
  }
  if (isSystemError(error)) {
    console.error(`proxy: ${error.message}`);
    process.exit(EXIT.refused);
  }
  console.error('proxy: internal error:', error instanceof Error ? (error.stack ?? error.message) : error);
  process.exit(EXIT.refused);
}

function failStatic(error: StaticConfigError): never {
  if (error.isUsage) {
    const wrong = error.diagnostics.filter((d) => d.severity === 'error');
    for (const { message, hint } of wrong) console.error(`proxy: ${message}${hint === undefined ? '' : ` (${hint})`}`);
    process.exit(EXIT.usage);
  }
  for (const diagnostic of error.diagnostics) console.error(formatDiagnostic(diagnostic));
  console.error(`proxy: ${error.message}`);
  process.exit(EXIT.refused);
}

/** The parser of options says `error: unknown option '--x'`, and a suggestion on a line of its own. */
function usageProblem(message: string): string {
  const [problem = '', ...more] = message.replace(/^error: /, '').split('\n');
  const hint = more.length === 0 ? '' : ` ${more.join(' ').replace(/^\(Did you mean/, '(did you mean')}`;
  const [verb = ''] = process.argv.slice(2);
  return `${problem}${hint}; see proxy ${verb.startsWith('-') ? '' : `${verb} `}--help`;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}
