import { haproxy } from './haproxy.ts';
import { httpProxy3 } from './http-proxy-3.ts';
import { nginx } from './nginx.ts';
import type { Peer } from './peer.ts';
import { phoenix } from './phoenix.ts';
import { splice } from './splice.ts';
import { traefik } from './traefik.ts';

/** Every peer, in the order of the report. To add one: a file here and, where it has any, its configuration. */
export const PEERS: readonly Peer[] = [splice, nginx, haproxy, httpProxy3, traefik, phoenix];

/** The peer that ratios are computed to. */
export const FLOOR = splice.name;
