import type { CommandVerb } from '../command/server.ts';
import type { Health } from './health.ts';

/** `drain` and `undrain` of the control socket. */
export function drainVerbs(health: Health): readonly [string, CommandVerb][] {
  const verb = (draining: boolean): CommandVerb => {
    return ({ service, url }) => {
      if (typeof service !== 'string' || typeof url !== 'string') return { ok: false, message: 'which server?' };
      const problem = health.drain(service, url, draining);
      return problem === null ? { ok: true, data: { service, url, draining } } : { ok: false, message: problem };
    };
  };
  return [
    ['drain', verb(true)],
    ['undrain', verb(false)],
  ];
}
