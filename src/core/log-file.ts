/**
 * Says why a log file cannot be opened, and what to do. The text of the errors that keep the proxy from starting.
 *
 * @param setting where the path was configured, for example `accessLog.filePath`
 * @param error what the system said
 */
export function explainLogFile(path: string, setting: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const slash = path.lastIndexOf('/');
  const directory = slash > 0 ? path.slice(0, slash) : slash === 0 ? '/' : '.';
  const start = `${setting}: cannot write to ${path}: `;
  switch (code) {
    case 'ENOENT':
      return `${start}the directory ${directory} does not exist; create it, or change ${setting}`;
    case 'ENOTDIR':
      return `${start}${directory} is not a directory; change ${setting}`;
    case 'EISDIR':
      return `${start}it is a directory; name a file in it`;
    case 'EACCES':
    case 'EPERM':
      return `${start}permission denied; let the proxy's user write to ${directory}, or change ${setting}`;
    case 'EROFS':
      return `${start}the file system is read-only; change ${setting}`;
    default:
      return `${start}${error instanceof Error ? error.message : String(error)}`;
  }
}
