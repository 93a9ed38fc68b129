import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where `.ci/run` installs what Debian does not have. */
export const TOOLS = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'phoenix-proxy', 'bin');

/** The path of an installed command; our own folder comes first, for its newer releases. */
export function findTool(name: string): string | undefined {
  for (const folder of [TOOLS, ...(process.env.PATH ?? '').split(delimiter)]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not there.
    }
  }
  return undefined;
}

const said = new Set<string>();

/**
 * Whether all of these commands are installed. Where not, says once in one line what is left out; for `describe.skipIf`.
 *
 * @param what completes the sentence "left out: …"
 */
export function toolsMissing(what: string, ...names: readonly string[]): boolean {
  const missing = names.filter((name) => findTool(name) === undefined);
  if (missing.length === 0) return false;
  const line = `left out: ${what}, because ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not installed (.ci/run does)`;
  if (!said.has(line)) console.warn(line);
  said.add(line);
  return true;
}
