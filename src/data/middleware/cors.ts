import type { HeadersMiddleware } from '../../core/config/middlewares.ts';
import type { Exchange, ResponseHook } from '../exchange.ts';
import { HeaderList } from '../headers/header-list.ts';
import { configuredRegex } from './config-value.ts';
import { applyEdits, type HeaderEdit, headerEdit } from './header-edits.ts';
import type { MiddlewareContext } from './types.ts';

/** The CORS part of `headers`. */
export interface Cors {
  /** Answers a preflight (Fetch standard, section 3.2.2) and says that it did. */
  answerPreflight(exchange: Exchange): boolean;
  readonly onResponse: ResponseHook;
}

/** Null where no CORS option is set: an OPTIONS request is then the upstream's. */
export function corsOf(config: HeadersMiddleware, context: MiddlewareContext): Cors | null {
  const credentials = config.accessControlAllowCredentials;
  const used =
    credentials ||
    config.accessControlAllowHeaders.length > 0 ||
    config.accessControlAllowMethods.length > 0 ||
    config.accessControlAllowOriginList.length > 0 ||
    config.accessControlAllowOriginListRegex.length > 0 ||
    config.accessControlExposeHeaders.length > 0 ||
    (config.accessControlMaxAge ?? 0) !== 0 ||
    config.addVaryHeader;
  if (!used) return null;

  const matchOrigin = originMatcher(config);
  if (credentials && config.accessControlAllowOriginList.includes('*')) {
    context.log(
      'warn',
      'headers.accessControlAllowOriginList: browsers refuse "*" together with accessControlAllowCredentials; name the origins',
      { middleware: context.name },
    );
  }

  const forBoth: HeaderEdit[] = credentials ? [edit('Access-Control-Allow-Credentials', 'true')] : [];
  // A preflight is told as well, as in Traefik; browsers look for it in the response itself.
  if (config.accessControlExposeHeaders.length > 0) {
    forBoth.push(edit('Access-Control-Expose-Headers', config.accessControlExposeHeaders.join(',')));
  }
  const forPreflights = [...forBoth];
  // With credentials `*` is a name like any other, so what was asked for is named instead.
  const echoHeaders = credentials && config.accessControlAllowHeaders.includes('*');
  const allowHeaders = config.accessControlAllowHeaders.join(',');
  if (!echoHeaders && allowHeaders !== '') forPreflights.push(edit('Access-Control-Allow-Headers', allowHeaders));
  const echoMethod = credentials && config.accessControlAllowMethods.includes('*');
  const allowMethods = config.accessControlAllowMethods.join(',');
  if (!echoMethod && allowMethods !== '') forPreflights.push(edit('Access-Control-Allow-Methods', allowMethods));
  if (config.accessControlMaxAge !== undefined) {
    forPreflights.push(edit('Access-Control-Max-Age', String(config.accessControlMaxAge)));
  }
  const vary = config.addVaryHeader;

  return {
    answerPreflight(exchange) {
      if (exchange.method !== 'OPTIONS') return false;
      const method = exchange.headers.get('access-control-request-method') ?? '';
      const origin = exchange.headers.get('origin') ?? '';
      if (method === '' || origin === '') return false;
      const answer = HeaderList.of();
      applyEdits(answer, forPreflights);
      const names = echoHeaders ? (exchange.headers.get('access-control-request-headers') ?? '') : '';
      if (names !== '') answer.append('Access-Control-Allow-Headers', names);
      if (echoMethod) answer.append('Access-Control-Allow-Methods', method);
      const match = matchOrigin(origin);
      if (match !== null) answer.append('Access-Control-Allow-Origin', match);
      exchange.reply(200, answer, '');
      return true;
    },
    onResponse(exchange, response) {
      const match = matchOrigin(exchange.headers.get('origin') ?? '');
      if (match !== null) response.headers.set('Access-Control-Allow-Origin', match);
      applyEdits(response.headers, forBoth);
      if (vary) addVaryOrigin(response.headers);
    },
  };
}

function edit(name: string, value: string): HeaderEdit {
  return headerEdit(name, value, 'headers');
}

/** What Access-Control-Allow-Origin says to an origin; null = nothing. The list comes before the expressions. */
function originMatcher(config: HeadersMiddleware): (origin: string) => string | null {
  const any = config.accessControlAllowOriginList.indexOf('*');
  // A named origin before `*` gets its name, one behind it gets `*`, as in Traefik.
  const named = new Set(
    any === -1 ? config.accessControlAllowOriginList : config.accessControlAllowOriginList.slice(0, any),
  );
  const expressions = config.accessControlAllowOriginListRegex.map((pattern) =>
    configuredRegex(pattern, 'headers.accessControlAllowOriginListRegex'),
  );
  return (origin) => {
    if (named.has(origin)) return origin;
    if (any !== -1) return '*';
    for (let i = 0; i < expressions.length; i++) if (expressions[i]!.test(origin)) return origin === '' ? null : origin;
    return null;
  };
}

function addVaryOrigin(headers: HeaderList): void {
  const present = headers.getAll('vary');
  if (present.length === 0) {
    headers.append('Vary', 'Origin');
    return;
  }
  const joined = present.join(',');
  if (joined.split(',').some((name) => /^\s*(?:origin|\*)\s*$/i.test(name))) return;
  headers.set('Vary', joined === '' ? 'Origin' : `${joined},Origin`);
}
