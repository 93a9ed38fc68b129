import type { Entry } from './entry.ts';
import type { Lane } from './lane.ts';
import { fetchRenewalWindow, type RenewalWindow, renewalId } from './renewal-info.ts';
import { windowTime } from './schedule.ts';
import type { AcmeLog, Clock } from './types.ts';

const ASK_AGAIN_AFTER_FAILURE_MS = 3_600_000;

export interface AskerOptions {
  readonly clock: Clock;
  readonly log: AcmeLog;
  readonly signal: AbortSignal;
}

/** The entry whose CA is to be asked next when it would like to see it renewed. Null: none now. */
export function nextToAsk(lane: Lane<Entry>): Entry | null {
  if (lane.asking || lane.outage !== null) return null;
  let next: Entry | null = null;
  for (const entry of lane.entries.values()) {
    if (entry.askAt === null || entry.running !== null) continue;
    if (next === null || entry.askAt < (next.askAt ?? 0)) next = entry;
  }
  return next;
}

/** Asks for one entry, and moves its renewal. One question at a time: there is no hurry. Never throws. */
export async function askWhenToRenew(entry: Entry, { clock, log, signal }: AskerOptions): Promise<void> {
  const { lane, newest: held } = entry;
  entry.askAt = null;
  const id = held === null ? null : renewalId(held.cert);
  if (held === null || id === null) return;
  lane.asking = true;
  try {
    const window = await fetchRenewalWindow(lane.client, id, signal);
    if (window === null) {
      lane.withoutRenewalInfo = true;
      for (const other of lane.entries.values()) other.askAt = null;
      return;
    }
    lane.askedForRenewal = true;
    entry.askAt = clock.now() + window.askAgainMs;
    // Another certificate came meanwhile, or a renewal is due already and failed.
    if (entry.newest === held && entry.wanted && entry.failures === 0) move(entry, held, window, log);
  } catch (error) {
    entry.askAt = clock.now() + ASK_AGAIN_AFTER_FAILURE_MS;
    log('debug', `resolver \`${lane.name}\` cannot be asked when to renew: ${(error as Error).message}`);
  } finally {
    lane.asking = false;
  }
}

function move(entry: Entry, held: NonNullable<Entry['newest']>, window: RenewalWindow, log: AcmeLog): void {
  const time = windowTime(window, held, held.fingerprint, entry.acceptedAt ?? held.notBefore);
  if (time === null || time === entry.due) return;
  entry.due = time;
  const why = window.explanation === undefined ? '' : ` (${window.explanation})`;
  log('debug', `the CA would have ${entry.label} renewed at ${new Date(time).toISOString()}${why}`);
}
