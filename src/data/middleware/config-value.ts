import { compileRegex, type Regex } from '../../core/regex.ts';
import { isFieldValue } from '../headers/header-list.ts';
import { TOKEN } from '../http1/chars.ts';

/**
 * A configured text as the bytes of a field value (UTF-8, one character a byte), without outer white space.
 * @param where the option, for the message
 * @throws where it would break the header section: CR, LF, NUL or another control character
 */
export function fieldValue(text: string, where: string): string {
  const bytes = Buffer.from(text.trim(), 'utf8').toString('latin1');
  if (!isFieldValue(bytes)) {
    throw new Error(`${where}: ${JSON.stringify(text)} has a control character, which no header value may have`);
  }
  return bytes;
}

/**
 * A configured header name.
 * @throws where it is not a token (RFC 9110 section 5.1)
 */
export function fieldName(text: string, where: string): string {
  const name = text.trim();
  let valid = name.length > 0;
  for (let i = 0; i < name.length && valid; i++) valid = TOKEN[name.charCodeAt(i)] === 1;
  if (!valid) throw new Error(`${where}: ${JSON.stringify(text)} is not a header name`);
  return name;
}

/**
 * A configured regular expression.
 * @throws with what RE2 has against it
 */
export function configuredRegex(pattern: string, where: string): Regex {
  const result = compileRegex(pattern);
  if (result.ok) return result.regex;
  throw new Error(`${where}: ${result.message}${result.hint === undefined ? '' : ` (${result.hint})`}`);
}
