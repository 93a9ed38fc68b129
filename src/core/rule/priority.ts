import type { RuleKind } from './ast.ts';

/**
 * The priority of a router whose operator gave none (0): the length of its rule in bytes, so that the more specific
 * usually wins. The TCP rule that takes everything comes last.
 */
export function defaultPriority(rule: string, kind: RuleKind): number {
  if (kind === 'tcp' && rule === 'HostSNI(`*`)') return -1;
  return Buffer.byteLength(rule);
}
