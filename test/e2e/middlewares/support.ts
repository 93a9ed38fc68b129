import { startHttpUpstream } from '../../support/http-upstreams.ts';
import { balanced, services } from '../upstreams/support.ts';

/** A dynamic file: every request goes through `m` to the server. */
export function through(middleware: Record<string, unknown>, url: string): Record<string, unknown> {
  return services(balanced([url]), {}, { middlewares: { m: middleware }, router: { middlewares: ['m'] } });
}

/** A server that knows how many requests are with it, and the most there ever were. */
export async function startCountingServer(holdMs: number) {
  const state = { now: 0, most: 0, total: 0 };
  const upstream = await startHttpUpstream((_request, response) => {
    state.total++;
    state.now++;
    state.most = Math.max(state.most, state.now);
    let over = false;
    const done = (): void => {
      if (!over) state.now--;
      over = true;
    };
    response.on('close', done);
    setTimeout(() => {
      done();
      response.end('ok');
    }, holdMs);
  });
  return Object.assign(Object.create(upstream) as typeof upstream, { state });
}
