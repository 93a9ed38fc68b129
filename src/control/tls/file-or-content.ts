import { statSync } from 'node:fs';
import type { Diagnostic } from '../../core/diagnostic.ts';
import { isInlinePem } from './pem.ts';

/** Reads a file; an Error of `node:fs` where that fails. Injected, so that every file that is read can also be watched. */
export type ReadFile = (path: string) => string | Error;

/** Where a value stands in the configuration. */
export type Place = Pick<Diagnostic, 'file' | 'line' | 'column' | 'path'>;

export type Content =
  | { readonly ok: true; readonly text: string /** The path, or `inline`. */; readonly source: string }
  | { readonly ok: false; readonly diagnostic: Diagnostic };

/**
 * The text of a value that is a path or PEM in place.
 *
 * @param what what it is, for the message: `certificate`, `private key`, `client CA`
 */
export function fileOrContent(value: string, what: string, read: ReadFile, place: Place): Content {
  if (isInlinePem(value)) return { ok: true, text: value, source: 'inline' };
  if (value.trim() === '') {
    return {
      ok: false,
      diagnostic: { severity: 'error', code: 'tls-file-missing', message: `no ${what} is given`, ...place },
    };
  }
  const text = read(value);
  if (!(text instanceof Error)) return { ok: true, text, source: value };
  return { ok: false, diagnostic: unreadable(value, what, text, place) };
}

function unreadable(path: string, what: string, error: Error, place: Place): Diagnostic {
  const code = 'code' in error ? error.code : undefined;
  const uid = process.getuid?.();
  const base = { severity: 'error', code: 'tls-file-unreadable', ...place } as const;
  switch (code) {
    case 'ENOENT':
      return {
        ...base,
        code: 'tls-file-missing',
        message: `the ${what} ${path} does not exist`,
        hint: path.startsWith('/')
          ? 'check the path; inside a container it must be mounted'
          : 'a relative path counts from the directory where the proxy was started: write an absolute one',
      };
    case 'EACCES':
    case 'EPERM':
      return {
        ...base,
        message: `the ${what} ${path} may not be read${uid === undefined ? '' : ` by uid ${uid}`}${ownership(path)}`,
        hint: 'give the proxy its own group and make the file and its directories readable by it: chgrp, then chmod g+r',
      };
    case 'EISDIR':
      return { ...base, message: `the ${what} ${path} is a directory`, hint: 'name the file in it' };
    default:
      return { ...base, message: `the ${what} ${path} cannot be read: ${error.message}` };
  }
}

/** `: it belongs to 0:0, mode 600`; nothing where even that cannot be seen. */
function ownership(path: string): string {
  try {
    const { uid, gid, mode } = statSync(path);
    return `: it belongs to ${uid}:${gid}, mode ${(mode & 0o7777).toString(8).padStart(3, '0')}`;
  } catch {
    // Its directory is closed to us as well; the first half of the message has said what matters.
    return ', nor may its directory';
  }
}
