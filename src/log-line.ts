const SHORT: Readonly<Record<string, readonly [text: string, color: number]>> = {
  trace: ['TRC', 35],
  debug: ['DBG', 36],
  info: ['INF', 32],
  warn: ['WRN', 33],
  error: ['ERR', 31],
  fatal: ['FTL', 31],
};

/**
 * Renders a line of the JSON log for people: `2026-11-23T09:00:00Z INF message key=value`. A line break inside goes on
 * with an indented line and other control characters are escaped, so that no text can pose as a line of its own.
 *
 * @param json one line with `level`, `time`, `message` and further fields
 * @returns the line with its line feed
 */
export function formatLine(json: string, color: boolean): string {
  const { level, time, message, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const [name, code] = SHORT[String(level)] ?? ['???', 0];
  // Seconds, as the time of a log for people needs no more.
  const second = `${String(time).slice(0, 19)}Z`;
  let line = color ? `\x1b[90m${second}\x1b[0m \x1b[${code}m${name}\x1b[0m ` : `${second} ${name} `;
  line += visible(String(message));
  for (const [key, value] of Object.entries(fields)) {
    const text = valueText(value);
    line += color ? ` \x1b[36m${visible(key)}=\x1b[0m${text}` : ` ${visible(key)}=${text}`;
  }
  return `${line}\n`;
}

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[^\s"=\x00-\x1f\x7f-\x9f]+$/.test(text) ? text : visible(JSON.stringify(text));
}

function visible(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (c) => {
    if (c === '\n') return '\n    ';
    return c === '\t' ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
