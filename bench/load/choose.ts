import { autocannonGenerator } from './autocannon.ts';
import type { Generator, Pattern } from './load.ts';
import { ownGenerator } from './own.ts';
import { wrk } from './wrk.ts';

/** In order of preference: the cheapest first, since the load shares its processor with the upstream. */
export const GENERATORS: readonly Generator[] = [wrk, ownGenerator, autocannonGenerator];

/**
 * The generator for a pattern: the forced one where it can do it, else the first that can. Throws when none can.
 */
export function chooseGenerator(pattern: Pattern, tls: boolean, forced: string | null): Generator {
  const able = GENERATORS.filter((generator) => generator.refuses(pattern, tls) === null);
  const chosen = able.find((generator) => generator.name === forced) ?? able[0];
  if (chosen === undefined) {
    const reasons = GENERATORS.map((generator) => `${generator.name}: ${generator.refuses(pattern, tls)}`);
    throw new Error(`no load generator can make this load (${reasons.join('; ')})`);
  }
  return chosen;
}
