import type { AcmeLog } from './types.ts';

export type SayOnce = (level: 'warn' | 'error', message: string) => void;

const MAX_SAID = 1_000;

/** A log that says the same thing once. */
export function sayOnce(log: AcmeLog): SayOnce {
  const said = new Set<string>();
  return (level, message) => {
    if (said.has(message)) return;
    if (said.size >= MAX_SAID) said.clear();
    said.add(message);
    log(level, message);
  };
}
