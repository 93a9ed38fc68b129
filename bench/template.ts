import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * Renders a configuration template: `${name}` becomes the value, and the part between `#if name` and `#end` lines
 * stays only where the value is true. Writes the result into `directory`, under `name`, and gives its path.
 * Throws when the template names a value that is not given.
 */
export function renderTemplate(
  template: string,
  directory: string,
  values: Readonly<Record<string, string | number | boolean>>,
  name: string = basename(template),
): string {
  const value = (name: string): string | number | boolean => {
    const found = values[name];
    if (found === undefined) throw new Error(`${template}: no value for ${name}`);
    return found;
  };
  const text = readFileSync(template, 'utf8')
    .replace(/^[ \t]*#if (\w+)\n([\s\S]*?)^[ \t]*#end\n/gm, (_, name: string, part: string) =>
      value(name) ? part : '',
    )
    .replace(/\$\{(\w+)\}/g, (_, name: string) => String(value(name)));
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}
