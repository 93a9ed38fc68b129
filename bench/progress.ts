/** Shows what is going on, on stderr: one line that changes in a terminal, a line per scenario elsewhere. */
export interface Progress {
  readonly say: (text: string) => void;
  readonly clear: () => void;
}

export function createProgress(): Progress {
  const { stderr } = process;
  if (stderr.isTTY) {
    return {
      say: (text) => void stderr.write(`\r\x1b[K${text.slice(0, (stderr.columns || 80) - 1)}`),
      clear: () => void stderr.write('\r\x1b[K'),
    };
  }
  let last = '';
  return {
    say(text) {
      const scenario = text.slice(0, text.indexOf(':'));
      if (scenario !== last) stderr.write(`${text}\n`);
      last = scenario;
    },
    clear() {},
  };
}
