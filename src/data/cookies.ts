import type { HeaderList } from './headers/header-list.ts';

/** The value of a cookie of the request, the first where there are several; null where there is none. */
export function cookieOf(headers: HeaderList, name: string): string | null {
  for (const line of headers.getAll('cookie')) {
    let at = 0;
    // Of the next pair that has one. To look for it anew in each would cost the square of a line without any.
    let equals = line.indexOf('=');
    while (equals >= 0 && at < line.length) {
      let end = line.indexOf(';', at);
      if (end < 0) end = line.length;
      if (equals < at) equals = line.indexOf('=', at);
      if (equals >= 0 && equals < end && line.substring(at, equals).trim() === name) {
        const value = line.substring(equals + 1, end).trim();
        return value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value;
      }
      at = end + 1;
    }
  }
  return null;
}
