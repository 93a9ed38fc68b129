import type { HealthCheck, LoadBalancer, PassiveHealthCheck } from '../../core/config/dynamic.ts';
import type { Path } from '../../core/config/paths.ts';
import type { Subject } from './findings.ts';

/**
 * Checks the values of a service's health checks. One with a value that cannot be meant is left out, with an error: the
 * service is served as if nothing were known of its servers.
 */
export function checkHealth(config: LoadBalancer, subject: Subject): LoadBalancer {
  const { healthCheck, passiveHealthCheck, ...rest } = config;
  const active = healthCheck !== undefined && activeIsSound(healthCheck, subject);
  const passive = passiveHealthCheck !== undefined && passiveIsSound(passiveHealthCheck, subject);
  return { ...rest, ...(active ? { healthCheck } : {}), ...(passive ? { passiveHealthCheck } : {}) };
}

function activeIsSound(check: HealthCheck, subject: Subject): boolean {
  const at = (key: keyof HealthCheck): Path => ['loadBalancer', 'healthCheck', key];
  let sound = true;
  const wrong = (key: keyof HealthCheck, message: string, hint: string): void => {
    subject.partial('bad-value', `${message}; the servers are not checked`, { at: at(key), value: true, hint });
    sound = false;
  };
  if (check.interval <= 0) wrong('interval', 'checks need an interval above 0', 'write for example `interval: 10s`');
  if (check.timeout <= 0) wrong('timeout', 'a check needs a timeout above 0', 'write for example `timeout: 3s`');
  if (check.unhealthyInterval !== undefined && check.unhealthyInterval <= 0) {
    wrong('unhealthyInterval', 'checks need an interval above 0', 'write for example `unhealthyInterval: 2s`');
  }
  for (const key of ['unhealthyThreshold', 'healthyThreshold'] as const) {
    if (check[key] < 1) wrong(key, `${key} is at least 1`, 'write 1 or more results in a row');
  }
  if (check.scheme !== undefined && !['', 'http', 'https'].includes(check.scheme)) {
    wrong('scheme', `the scheme "${check.scheme}" cannot be checked`, 'write http or https');
  }
  if (check.status !== 0 && (check.status < 100 || check.status > 599)) {
    wrong('status', `${check.status} is no status`, 'write 100 to 599, or leave it out for 200 to 399');
  }
  if (check.path !== undefined && /^(\w+:|\/\/)/.test(check.path)) {
    wrong(
      'path',
      `"${check.path}" is no path`,
      'write only the path, as `/health`, and where needed `scheme` and `port`',
    );
  }
  if (sound && check.timeout > check.interval) {
    const message = `the timeout (${check.timeout / 1_000} s) is longer than the interval (${check.interval / 1_000} s): a server that hangs is checked less often`;
    subject.warning('slow-check', message, { at: at('timeout'), value: true });
  }
  return sound;
}

function passiveIsSound(check: PassiveHealthCheck, subject: Subject): boolean {
  let sound = true;
  const wrong = (key: keyof PassiveHealthCheck, message: string, hint: string): void => {
    const at: Path = ['loadBalancer', 'passiveHealthCheck', key];
    subject.partial('bad-value', `${message}; no server is taken out by its failures`, { at, value: true, hint });
    sound = false;
  };
  if (check.failureWindow <= 0)
    wrong('failureWindow', 'the window is above 0', 'write for example `failureWindow: 10s`');
  if (check.maxFailedAttempts < 1) wrong('maxFailedAttempts', 'maxFailedAttempts is at least 1', 'write 1 or more');
  if (check.maxEjectionPercent < 0 || check.maxEjectionPercent > 100) {
    wrong('maxEjectionPercent', `${check.maxEjectionPercent} is no percentage`, 'write 0 to 100');
  }
  return sound;
}
