import cluster from 'node:cluster';
import { type FromWorker, PROTOCOL, type ToWorker } from '../../src/core/messages.ts';

/*
 * A worker that serves nothing: it takes snapshots as the real one does, says by a report which it has, and refuses those
 * whose version is a hundred and something, if its number is odd.
 */
function send(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}

let applied = 0;
process.on('message', (message: ToWorker) => {
  if (message.type === 'snapshot') {
    const { version } = message.snapshot;
    if (version >= 100 && (cluster.worker?.id ?? 0) % 2 === 1) {
      send({ type: 'refused', version, reason: `odd workers do not take version ${version}` });
      return;
    }
    applied = version;
    send({ type: 'applied', version, problems: [] });
  } else if (message.type === 'drain' || message.type === 'retire') {
    process.disconnect?.();
    process.exit(applied === 0 ? 1 : 0);
  }
});
process.on('disconnect', () => process.exit(0));
send({ type: 'ready', code: 'fake', protocol: PROTOCOL });
