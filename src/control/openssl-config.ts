import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('../../config/worker-openssl.cnf', import.meta.url));
const OPTIONS = ['--openssl-config', '--openssl-shared-config'];

/**
 * What Node is told, in a worker, of OpenSSL's settings that it has no API for: the file says which. Nothing where the
 * operator told it something else, or where the file is not there: Node would not start without it.
 *
 * @param execArgv what this process was told
 */
export function opensslArguments(env: NodeJS.ProcessEnv, execArgv: readonly string[], file: string = FILE): string[] {
  const told = [...execArgv, ...(env.NODE_OPTIONS ?? '').split(/\s+/)];
  if (env.OPENSSL_CONF !== undefined || told.some((argument) => OPTIONS.includes(argument.split('=')[0]!))) return [];
  return existsSync(file) ? [`--openssl-config=${file}`] : [];
}
