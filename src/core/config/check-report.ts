import type { Path } from './paths.ts';

/** How a check reports what it finds. */
export type Report = (
  severity: 'error' | 'warning' | 'info',
  code: string,
  path: Path,
  message: string,
  hint?: string,
) => void;
