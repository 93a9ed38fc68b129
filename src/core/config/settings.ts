import type { Path } from './paths.ts';
import type { Shape } from './shape.ts';
import { suggest } from './suggest.ts';

/** A part of a flag's or variable's name: a word, or a list index. */
export type Token = string | number;

export interface Target {
  /** In the schema's spelling. */
  readonly path: Path;
  readonly shape: Shape;
}

export interface Miss {
  /** What was probably meant, as a path. */
  readonly suggestion: Path | undefined;
  /** How many tokens were understood. */
  readonly depth: number;
}

/** Largest list index that a flag or variable may name. */
export const MAX_INDEX = 999;

/**
 * Finds what a name made of tokens stands for. Where `joinNames` is set, a name in a map (an entry point's) may itself
 * have been cut into several tokens at its underscores; the shortest name that makes sense wins, as in Traefik.
 */
export function resolveTokens(shape: Shape, tokens: readonly Token[], joinNames: boolean): Target | Miss {
  return resolve(shape, 0, []);

  function resolve(at: Shape, index: number, path: Path): Target | Miss {
    if (index === tokens.length) return { path, shape: at };
    const token = tokens[index]!;
    switch (at.kind) {
      case 'object': {
        const field = at.fields.get(String(token).toLowerCase());
        if (field !== undefined) return resolve(field.shape, index + 1, [...path, field.name]);
        const near = suggest(String(token), at.names);
        return { suggestion: near === undefined ? undefined : [...path, near], depth: index };
      }
      case 'record': {
        let best: Miss = { suggestion: undefined, depth: index };
        const longest = joinNames ? tokens.length : index + 1;
        for (let end = index + 1; end <= longest; end++) {
          // The whole rest as a name says nothing, unless the values themselves are scalars.
          const found = resolve(at.value, end, [...path, tokens.slice(index, end).join('_')]);
          if ('path' in found) {
            if (end < tokens.length || end === index + 1 || isScalar(at.value)) return found;
          } else if (found.depth > best.depth) best = found;
        }
        return best;
      }
      case 'array': {
        const position = typeof token === 'number' ? token : /^\d+$/.test(token) ? Number(token) : -1;
        if (position < 0 || position > MAX_INDEX) return { suggestion: [...path, 0], depth: index };
        return resolve(at.item, index + 1, [...path, position]);
      }
      case 'any':
        return { path: [...path, ...tokens.slice(index)], shape: at };
      default:
        return { suggestion: undefined, depth: index };
    }
  }
}

export function isScalar(shape: Shape): boolean {
  return shape.kind !== 'object' && shape.kind !== 'record' && shape.kind !== 'array' && shape.kind !== 'any';
}

/** Settings gathered from flags or variables, as a raw tree that `normalise` then decodes like a file. */
export interface Settings {
  readonly tree: Record<string, unknown>;
  /** Sections that were switched off (`--api=false`): they are taken out of what other sources say. */
  readonly removed: Path[];
}

/** Puts one value in its place. A list that is set more than once grows; for anything else the last value counts. */
export function assign(settings: Settings, { path, shape }: Target, value: string): void {
  const section = shape.kind === 'object' || shape.kind === 'record';
  if (section && /^false$/i.test(value)) {
    settings.removed.push(path);
    return;
  }
  const last = path.length - 1;
  let node: Record<Token, unknown> = settings.tree;
  path.forEach((part, depth) => {
    const key = typeof part === 'string' ? spelledAlready(node, part) : part;
    if (depth < last) {
      const next = node[key];
      if (typeof next !== 'object' || next === null) node[key] = typeof path[depth + 1] === 'number' ? [] : {};
      node = node[key] as Record<Token, unknown>;
      return;
    }
    const earlier = node[key];
    if (section) {
      // A bare `--api` switches on; anything else is reported when it is decoded.
      if (/^true$|^$/i.test(value)) node[key] = typeof earlier === 'object' && earlier !== null ? earlier : {};
      else node[key] = value;
    } else if (shape.kind === 'array' && typeof earlier === 'string') node[key] = `${earlier},${value}`;
    else node[key] = value;
  });
}

/** The key that is there already and differs in case only, or the key itself. */
export function spelledAlready(node: object, key: string): string {
  if (Object.hasOwn(node, key)) return key;
  const folded = key.toLowerCase();
  return Object.keys(node).find((candidate) => candidate.toLowerCase() === folded) ?? key;
}
