import { AuthorityKeyIdentifierExtension, X509Certificate } from '@peculiar/x509';
import { AcmeError } from './acme-error.ts';
import { parseRetryAfter } from './acme-session.ts';
import type { CaClient } from './ca-client.ts';

const HOUR_MS = 3_600_000;
const MIN_POLL_MS = 60_000;
const MAX_POLL_MS = 6 * HOUR_MS;

/** When the CA would like a certificate to be renewed (RFC 9773). Milliseconds since the epoch. */
export interface RenewalWindow {
  readonly start: number;
  readonly end: number;
  readonly explanation: string | undefined;
  /** How long to wait before asking again. */
  readonly askAgainMs: number;
}

/**
 * RFC 9773 section 4.1: the issuer's key and the serial number. Null: the certificate does not name its issuer's key.
 *
 * @param pem the leaf first
 */
export function renewalId(pem: string): string | null {
  const certificate = new X509Certificate(pem);
  const keyId = certificate.getExtension(AuthorityKeyIdentifierExtension)?.keyId;
  if (keyId === undefined) return null;
  const hex = certificate.serialNumber.length % 2 === 0 ? certificate.serialNumber : `0${certificate.serialNumber}`;
  // As DER has it: a first bit that is set gets a zero before it, because the number is positive.
  const serial = Buffer.from(/^[89a-f]/i.test(hex) ? `00${hex}` : hex, 'hex');
  return `${Buffer.from(keyId, 'hex').toString('base64url')}.${serial.toString('base64url')}`;
}

/**
 * Asks a CA for the renewal window of a certificate. Null: the CA has no such service.
 *
 * @throws AcmeError
 */
export async function fetchRenewalWindow(
  client: CaClient,
  id: string,
  signal: AbortSignal,
): Promise<RenewalWindow | null> {
  const base = await client.resource('renewalInfo', signal);
  if (base === undefined) return null;
  const answer = await client.get(`${base.replace(/\/$/, '')}/${id}`, signal);
  const window = answer.status === 200 ? readWindow(answer.body) : undefined;
  if (window === undefined)
    throw new AcmeError('broken', `the CA answered ${answer.status} to the question when to renew`);
  const asked = parseRetryAfter(answer.headers['retry-after']) ?? MAX_POLL_MS;
  return { ...window, askAgainMs: Math.min(Math.max(asked, MIN_POLL_MS), MAX_POLL_MS) };
}

function readWindow(body: string): Pick<RenewalWindow, 'start' | 'end' | 'explanation'> | undefined {
  try {
    const { suggestedWindow, explanationURL } = JSON.parse(body) as {
      suggestedWindow?: { start?: string; end?: string };
      explanationURL?: unknown;
    };
    const start = Date.parse(suggestedWindow?.start ?? '');
    const end = Date.parse(suggestedWindow?.end ?? '');
    if (!(end > start)) return undefined;
    return { start, end, explanation: typeof explanationURL === 'string' ? explanationURL : undefined };
  } catch {
    // No JSON; the caller says so.
    return undefined;
  }
}
