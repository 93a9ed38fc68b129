// Watches the path given as its argument and prints what it sees, one JSON line for each change; as root, it becomes nobody first.
import { watchFiles } from '../../../src/control/files/watcher.ts';

const [path = '', uid] = process.argv.slice(2);
if (uid !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(Number(uid));
  process.setuid?.(Number(uid));
}
const watcher = await watchFiles({ paths: [path], extensions: ['.yml'], watch: true }, report);
report();

function report(): void {
  const files = [...watcher.files].map(([file, state]) => [file, state.kind === 'ok' ? state.text : state.error]);
  process.stdout.write(`${JSON.stringify({ files: Object.fromEntries(files), problems: watcher.problems })}\n`);
}
