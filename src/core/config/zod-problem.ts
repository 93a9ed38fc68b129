import type { z } from 'zod';
import type { Path } from './paths.ts';

/** A finding of the schema, in this project's words. */
export interface Problem {
  readonly code: string;
  /** From the object that was checked. */
  readonly path: Path;
  readonly message: string;
  readonly hint?: string;
}

/** Turns an issue of zod into a problem. Wrong types never get here: `normalise` has reported those. */
export function zodProblem(issue: z.core.$ZodIssue): Problem {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  const name = String(path.at(-1) ?? '');
  switch (issue.code) {
    case 'invalid_type':
      if (issue.message.endsWith('received undefined')) {
        return { code: 'missing-key', path, message: `\`${name}\` is missing` };
      }
      if (issue.expected === 'int') return { code: 'bad-value', path, message: `\`${name}\` must be a whole number` };
      return { code: 'wrong-type', path, message: `\`${name}\`: expected ${issue.expected}` };
    case 'too_small':
      return { code: 'bad-value', path, message: `\`${name}\` must be at least ${issue.minimum}` };
    case 'too_big':
      return { code: 'bad-value', path, message: `\`${name}\` must be at most ${issue.maximum}` };
    case 'custom': {
      const code = typeof issue.params?.code === 'string' ? issue.params.code : 'bad-value';
      const hint = issue.params?.hint;
      return { code, path, message: issue.message, ...(typeof hint === 'string' ? { hint } : {}) };
    }
    default:
      return { code: 'bad-value', path, message: name === '' ? issue.message : `\`${name}\`: ${issue.message}` };
  }
}
