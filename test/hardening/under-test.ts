import { type NginxProcess, startNginx } from '../support/nginx.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../support/recording-upstream.ts';
import { MAX_HEADER_BYTES } from './requests/limits.ts';

/** A proxy before one recording upstream; every path of every host goes there. */
export interface UnderTest extends AsyncDisposable {
  readonly upstream: RecordingUpstream;
  /** Ordinary entry point. */
  readonly port: number;
  /** Entry point that waits 1 s for a head. */
  readonly impatientPort: number;
  /** The same two over TLS; null where there are none. */
  readonly secure: { readonly port: number; readonly impatientPort: number } | null;
  output(): string;
}

/** The proxy, or with `PROXY_UNDER_TEST=nginx` the peer: that is how the harness itself was validated. */
export async function startUnderTest(): Promise<UnderTest> {
  const upstream = await startRecordingUpstream();
  const started = process.env.PROXY_UNDER_TEST === 'nginx' ? await peer(upstream) : await ours(upstream);
  return {
    ...started,
    upstream,
    [Symbol.asyncDispose]: async () => {
      await started[Symbol.asyncDispose]();
      await upstream.close();
    },
  };
}

const IMPATIENT = { respondingTimeouts: { readTimeout: '1s' } };

async function ours(upstream: RecordingUpstream): Promise<Omit<UnderTest, 'upstream'>> {
  const http = { maxHeaderBytes: MAX_HEADER_BYTES };
  const proxy: ProxyProcess = await startProxy({
    static: {
      entryPoints: {
        web: { http },
        impatient: { http, transport: IMPATIENT },
        secure: { http: { ...http, tls: {} } },
        'impatient-secure': { http: { ...http, tls: {} }, transport: IMPATIENT },
      },
    },
    dynamic: {
      http: {
        routers: {
          all: { rule: 'PathPrefix(`/`)', service: 'app' },
          // `OPTIONS *` has no path: only a host can route it.
          host: { rule: 'Host(`app.test`)', service: 'app' },
        },
        services: { app: { loadBalancer: { servers: [{ url: upstream.url }] } } },
      },
    },
  });
  return {
    port: proxy.port('web'),
    impatientPort: proxy.port('impatient'),
    secure: { port: proxy.port('secure'), impatientPort: proxy.port('impatient-secure') },
    output: proxy.output,
    [Symbol.asyncDispose]: proxy[Symbol.asyncDispose],
  };
}

async function peer(upstream: RecordingUpstream): Promise<Omit<UnderTest, 'upstream'>> {
  const patient: NginxProcess = await startNginx(upstream);
  const impatient = await startNginx(upstream, 1_000);
  return {
    port: patient.port,
    impatientPort: impatient.port,
    secure: null,
    output: () => patient.output() + impatient.output(),
    [Symbol.asyncDispose]: async () => {
      await patient[Symbol.asyncDispose]();
      await impatient[Symbol.asyncDispose]();
    },
  };
}
