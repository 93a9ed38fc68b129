import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../found/', import.meta.url));

/** A stream that once was read two ways. Kept, and tried first at every run. */
export interface Found {
  readonly kind: 'requests' | 'response';
  /** latin1. */
  readonly bytes: string;
  /** What was wrong, and the seed and turn that showed it. */
  readonly note: string;
}

export function readFound(kind: Found['kind']): (Found & { readonly file: string })[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({ file, ...(JSON.parse(readFileSync(FOLDER + file, 'utf8')) as Found) }))
    .filter((found) => found.kind === kind);
}

/** Writes a corpus file and returns its name. */
export function saveFound(name: string, found: Found): string {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}${name}.json`, `${JSON.stringify(found, null, 2)}\n`);
  return `test/hardening/found/${name}.json`;
}

/**
 * Makes a failing stream shorter while it fails, by leaving out ever smaller pieces.
 * @param attempts how often it may be tried
 */
export async function shrink(
  bytes: string,
  fails: (candidate: string) => Promise<boolean>,
  attempts = 150,
): Promise<string> {
  let best = bytes;
  let left = attempts;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < best.length && left > 0; left--) {
      const candidate = best.slice(0, at) + best.slice(at + size);
      if (await fails(candidate)) best = candidate;
      else at += size;
    }
  }
  return best;
}
