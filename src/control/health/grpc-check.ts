import http2 from 'node:http2';
import { type CheckAddress, type CheckResult, failureOf, late } from './check-result.ts';
import { tlsOptions } from './tls-options.ts';

/** An empty HealthCheckRequest (the server as a whole) in gRPC's frame: no compression, length 0. */
const REQUEST = Buffer.alloc(5);
const SERVING = 1;
const STATUS_NAMES: Readonly<Record<number, string>> = {
  0: 'UNKNOWN',
  1: 'SERVING',
  2: 'NOT_SERVING',
  3: 'SERVICE_UNKNOWN',
};
const MAX_REPLY = 4_096;

/** Mode `grpc`: `grpc.health.v1.Health/Check` says SERVING (gRPC Health Checking Protocol). */
export function checkGrpc(
  address: CheckAddress,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<CheckResult> {
  return new Promise((resolve) => {
    const { host, port } = address;
    const authority = `${address.tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
    const session = http2.connect(
      authority,
      address.tls === undefined ? {} : { ...tlsOptions(address), ALPNProtocols: ['h2'] },
    );
    const end = (result: CheckResult): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end(late(timeoutMs)), timeoutMs);
    session.on('error', (error) => end(failureOf(error)));
    session.on('close', () =>
      setImmediate(() => end({ kind: 'reset', detail: 'the connection was closed before an answer came' })),
    );
    const { Host: authorityHeader, ...others } = headers;
    let stream: http2.ClientHttp2Stream;
    try {
      stream = session.request({
        ...others,
        ...(authorityHeader === undefined ? {} : { ':authority': authorityHeader }),
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
    } catch (error) {
      // `headers` of the check that HTTP/2 does not have: `Connection`, say.
      end({ kind: 'grpc', detail: `the request cannot be sent: ${(error as Error).message}` });
      return;
    }
    let status = 0;
    let grpcStatus: string | undefined;
    let message = '';
    const parts: Buffer[] = [];
    let size = 0;
    const read = (from: Readonly<Record<string, unknown>>): void => {
      if (from['grpc-status'] !== undefined) grpcStatus = String(from['grpc-status']);
      if (from['grpc-message'] !== undefined) message = String(from['grpc-message']);
    };
    stream.on('response', (response) => {
      status = Number(response[':status'] ?? 0);
      read(response);
    });
    stream.on('trailers', read);
    stream.on('data', (part: Buffer) => {
      size += part.length;
      if (size <= MAX_REPLY) parts.push(part);
    });
    // Where the connection failed, the session says why, a moment later.
    stream.on('error', (error) => setImmediate(() => end(failureOf(error))));
    stream.on('end', () => end(judge(status, grpcStatus, message, Buffer.concat(parts))));
    stream.end(REQUEST);
  });
}

function judge(status: number, grpcStatus: string | undefined, message: string, reply: Buffer): CheckResult {
  if (status !== 200) return { kind: 'status', detail: `HTTP status ${status}` };
  if (grpcStatus === '12') return { kind: 'grpc', detail: 'the server does not implement the gRPC health protocol' };
  if (grpcStatus !== '0') return { kind: 'grpc', detail: `gRPC status ${grpcStatus ?? 'missing'} ${message}`.trim() };
  const serving = servingStatus(reply);
  if (serving === SERVING) return { kind: 'ok', detail: 'SERVING' };
  return { kind: 'grpc', detail: STATUS_NAMES[serving] ?? `an unknown status (${serving})` };
}

/** Field 1 (an enum) of a HealthCheckResponse; 0 where it is absent, as protobuf has it. */
function servingStatus(reply: Buffer): number {
  return reply.length >= 7 && reply[5] === 0x08 ? reply[6]! : 0;
}
