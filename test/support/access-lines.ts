import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A line of the JSON access log. */
export type AccessLine = Readonly<Record<string, unknown>>;

/**
 * Every line of the files whose name starts with `prefix`, rotated ones too.
 *
 * @throws Error naming the file where a line is no JSON object, or the last one is torn
 */
export function readAccessLines(directory: string, prefix = 'access.log'): AccessLine[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith(prefix))
    .flatMap((name) => parseAccessLines(readFileSync(join(directory, name), 'utf8'), name));
}

/** @param where for the message of an error */
export function parseAccessLines(text: string, where: string): AccessLine[] {
  if (text === '') return [];
  if (!text.endsWith('\n')) throw new Error(`${where} ends within a line: ${text.slice(-200)}`);
  return text
    .slice(0, -1)
    .split('\n')
    .map((line, index) => {
      try {
        return JSON.parse(line) as AccessLine;
      } catch (cause) {
        throw new Error(`${where}:${index + 1} is no JSON: ${line}`, { cause });
      }
    });
}
