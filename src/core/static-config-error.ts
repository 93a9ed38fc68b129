import type { Diagnostic } from './diagnostic.ts';
import { OperatorError } from './operator-error.ts';

/** What stands for the file in diagnostics about flags. */
export const COMMAND_LINE = 'command line';

/** Why there is nothing to start on. */
export class StaticConfigError extends OperatorError {
  readonly diagnostics: readonly Diagnostic[];
  /** The command line is wrong, and nothing else. */
  readonly isUsage: boolean;

  constructor(message: string, diagnostics: readonly Diagnostic[]) {
    super(message);
    this.diagnostics = diagnostics;
    const errors = diagnostics.filter((d) => d.severity === 'error');
    this.isUsage = errors.length > 0 && errors.every((d) => d.file === COMMAND_LINE);
  }
}
