import type { StaticConfig } from '../../core/config/static.ts';
import type { Status } from '../../core/snapshot.ts';
import type { ApiState } from './state.ts';

/** `/api/overview`: how many objects there are and how many are ill, and what is switched on. */
export function overview({ snapshot, static: config }: ApiState): object {
  const { routers, services, middlewares } = snapshot.http;
  const none = section({});
  return {
    http: { routers: section(routers), services: section(services), middlewares: section(middlewares) },
    tcp: { routers: none, services: none, middlewares: none },
    udp: { routers: none, services: none },
    features: {
      tracing: config.tracing?.otlp === undefined ? '' : 'OTLP',
      metrics: metricsName(config.metrics),
      accessLog: config.accessLog !== undefined,
    },
    // Those that are acted upon, not those that are only accepted.
    providers: config.providers.file === undefined ? [] : ['File'],
  };
}

function section(items: Readonly<Record<string, { readonly status: Status }>>): object {
  let [total, warnings, errors] = [0, 0, 0];
  for (const { status } of Object.values(items)) {
    total++;
    if (status === 'warning') warnings++;
    if (status === 'disabled') errors++;
  }
  return { total, warnings, errors };
}

function metricsName(metrics: StaticConfig['metrics']): string {
  if (metrics?.prometheus !== undefined) return 'Prometheus';
  if (metrics?.datadog !== undefined) return 'Datadog';
  if (metrics?.statsD !== undefined) return 'StatsD';
  if (metrics?.influxDB2 !== undefined) return 'InfluxDB2';
  return metrics?.otlp === undefined ? '' : 'OTLP';
}
