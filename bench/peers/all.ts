import { caddy } from './caddy.ts';
import { direct } from './direct.ts';
import { haproxy } from './haproxy.ts';
import { httpProxy3 } from './http-proxy-3.ts';
import { nginx } from './nginx.ts';
import { nodeUndici } from './node-undici.ts';
import type { Peer } from './peer.ts';
import { otherPhoenix, phoenix } from './phoenix.ts';
import { splice } from './splice.ts';
import { traefik } from './traefik.ts';

/** Every peer, in the order of the report. To add one: a file here and, where it has any, its configuration. */
const other = otherPhoenix(process.env);
export const PEERS: readonly Peer[] = [
  splice,
  nginx,
  haproxy,
  caddy,
  traefik,
  nodeUndici,
  httpProxy3,
  phoenix,
  ...(other === null ? [] : [other]),
];

/** Measured too where a scenario asks for the latency that a proxy adds. */
export const DIRECT = direct;

/** The peer that ratios are computed to, and that targets are about. */
export const FLOOR = splice.name;
/** Peers whose ratios the report shows too. */
export const COMPARED: readonly string[] = [splice.name, nginx.name, haproxy.name];
