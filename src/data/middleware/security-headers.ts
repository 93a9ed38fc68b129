import { randomBytes } from 'node:crypto';
import type { HeadersMiddleware } from '../../core/config/middlewares.ts';
import type { Exchange, ResponseHook } from '../exchange.ts';
import { FORWARDED, identifyName } from '../headers/known.ts';
import { fieldName, fieldValue } from './config-value.ts';
import { applyEdits, type HeaderEdit, headerEdit } from './header-edits.ts';
import type { MiddlewareContext } from './types.ts';

/** The security part of `headers`. */
export interface Security {
  hostAllowed(exchange: Exchange): boolean;
  /** Null where no header is set. */
  readonly hook: ResponseHook | null;
}

/** Options of version 2 that version 3 of Traefik still reads and no longer acts on, with what does their work. */
const WITHOUT_EFFECT = {
  featurePolicy: 'permissionsPolicy',
  sslRedirect: 'redirectScheme, or a redirection of the entry point',
  sslTemporaryRedirect: 'redirectScheme, or a redirection of the entry point',
  sslHost: 'redirectRegex',
  sslForceHost: 'redirectRegex',
} as const;

export function securityOf(config: HeadersMiddleware, context: MiddlewareContext): Security {
  for (const [option, instead] of Object.entries(WITHOUT_EFFECT)) {
    const value = config[option as keyof typeof WITHOUT_EFFECT];
    if (value === undefined || value === false || value === '') continue;
    context.log('warn', `headers.${option} has no effect, as in Traefik 3; use ${instead}`, {
      middleware: context.name,
    });
  }
  return { hostAllowed: hostCheck(config), hook: headerHook(config) };
}

function hostCheck(config: HeadersMiddleware): (exchange: Exchange) => boolean {
  if (config.allowedHosts.length === 0 || config.isDevelopment) return () => true;
  const allowed = new Set(config.allowedHosts.map((host) => host.toLowerCase()));
  const sources = config.hostsProxyHeaders.map((name) => proxyHeader(name, 'headers.hostsProxyHeaders'));
  return (exchange) => {
    let host = exchange.authority;
    for (let i = 0; i < sources.length; i++) {
      const value = sources[i]!(exchange);
      if (value === '') continue;
      host = value;
      break;
    }
    return allowed.has(host.toLowerCase());
  };
}

function headerHook(config: HeadersMiddleware): ResponseHook | null {
  const always: HeaderEdit[] = [];
  const overTls: HeaderEdit[] = [];
  const add = (list: HeaderEdit[], name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') list.push(headerEdit(name, value, 'headers'));
  };
  const seconds = config.stsSeconds ?? 0;
  if (seconds !== 0 && !config.isDevelopment) {
    const subdomains = config.stsIncludeSubdomains ? '; includeSubDomains' : '';
    const preload = config.stsPreload ? '; preload' : '';
    // RFC 6797 section 7.2: not over plaintext, unless forced.
    const list = config.forceSTSHeader ? always : overTls;
    add(list, 'Strict-Transport-Security', `max-age=${seconds}${subdomains}${preload}`);
  }
  add(always, 'X-Frame-Options', config.customFrameOptionsValue || (config.frameDeny ? 'DENY' : ''));
  add(always, 'X-Content-Type-Options', config.contentTypeNosniff ? 'nosniff' : '');
  add(always, 'X-XSS-Protection', config.customBrowserXSSValue || (config.browserXssFilter ? '1; mode=block' : ''));
  if (!config.isDevelopment) add(overTls, 'Public-Key-Pins', config.publicKey);
  add(always, 'Referrer-Policy', config.referrerPolicy);
  add(always, 'Permissions-Policy', config.permissionsPolicy);

  const policies = [
    policy('Content-Security-Policy', config.contentSecurityPolicy),
    policy('Content-Security-Policy-Report-Only', config.contentSecurityPolicyReportOnly),
  ].filter((made) => made !== null);
  const withNonce = policies.filter((made) => made.parts.length > 1);
  for (const made of policies) if (made.parts.length === 1) add(always, made.name, made.parts[0]);
  if (always.length === 0 && overTls.length === 0 && withNonce.length === 0) return null;

  const isTls = overTls.length === 0 ? () => false : tlsCheck(config.sslProxyHeaders);
  return (exchange, response) => {
    applyEdits(response.headers, always);
    if (overTls.length > 0 && isTls(exchange)) applyEdits(response.headers, overTls);
    if (withNonce.length === 0) return;
    const nonce = `'nonce-${randomBytes(16).toString('base64')}'`;
    for (const made of withNonce) response.headers.set(made.name, made.parts.join(nonce));
  };
}

/** A policy split where `$NONCE` stands: that becomes a new random source for each response. */
function policy(
  name: string,
  text: string | undefined,
): { readonly name: string; readonly parts: readonly string[] } | null {
  if (text === undefined || text === '') return null;
  return { name, parts: fieldValue(text, `headers (${name})`).split('$NONCE') };
}

/** Whether the client's own connection is TLS: ours, or one that a proxy before us says it ended. */
function tlsCheck(proxyHeaders: Readonly<Record<string, string>>): (exchange: Exchange) => boolean {
  const signs = Object.entries(proxyHeaders).map(([name, value]) => ({
    of: proxyHeader(name, 'headers.sslProxyHeaders'),
    value: fieldValue(value, `headers.sslProxyHeaders.${name}`),
  }));
  return (exchange) => exchange.secure || signs.some((sign) => sign.of(exchange) === sign.value);
}

/** Reads a header that a proxy before us sets; the X-Forwarded ones count only where that proxy is trusted. */
function proxyHeader(name: string, where: string): (exchange: Exchange) => string {
  const lower = fieldName(name, where).toLowerCase();
  const needsTrust = FORWARDED[identifyName(lower)] === 1;
  return (exchange) => (needsTrust && !exchange.peer.trusted ? '' : (exchange.headers.get(lower) ?? ''));
}
