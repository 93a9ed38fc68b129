import type { ChainMiddleware } from '../../core/config/middlewares.ts';
import type { MiddlewareSnapshot } from '../../core/snapshot.ts';
import type { MiddlewareFactory } from './types.ts';

/** Most middlewares that one router may have, its chains and theirs included: chains of chains grow fast. */
export const MAX_STEPS = 500;

/**
 * The middlewares that names stand for, chains replaced by what they consist of, in order.
 * @param names qualified (`name@provider`); inside a chain, a bare name is of the chain's provider
 * @throws where a name is unknown or disabled, a chain contains itself, or there are more than {@link MAX_STEPS}
 */
export function flatten(
  names: readonly string[],
  middlewares: Readonly<Record<string, MiddlewareSnapshot>>,
): readonly MiddlewareSnapshot[] {
  const steps: MiddlewareSnapshot[] = [];
  let visited = 0;
  const visit = (name: string, path: readonly string[]): void => {
    const within = path.length === 0 ? '' : ` (in the chain ${path.join(' → ')})`;
    const middleware = Object.hasOwn(middlewares, name) ? middlewares[name] : undefined;
    if (middleware === undefined) throw new Error(`the middleware ${name} does not exist${within}`);
    if (path.includes(name)) throw new Error(`the chain ${[...path, name].join(' → ')} contains itself`);
    if (middleware.status === 'disabled') {
      throw new Error(`the middleware ${name} is disabled${within}: ${middleware.errors.join('; ')}`);
    }
    // Chains count too: chains of empty chains grow as fast.
    if (++visited > MAX_STEPS) throw new Error(`more than ${MAX_STEPS} middlewares${within}`);
    const chain = middleware.config.chain;
    if (chain === undefined) {
      steps.push(middleware);
      return;
    }
    for (const inner of chain.middlewares) visit(qualify(inner, name), [...path, name]);
  };
  for (const name of names) visit(name, []);
  return steps;
}

function qualify(name: string, from: string): string {
  const at = from.lastIndexOf('@');
  return name.includes('@') || at === -1 ? name : name + from.slice(at);
}

/** A chain is no step of its own: the pipeline resolves it by {@link flatten} and never compiles it. */
export const chain: MiddlewareFactory<ChainMiddleware> = (_config, context) => {
  throw new Error(`the chain ${context.name} was not resolved`);
};
