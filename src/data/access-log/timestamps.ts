const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** One second of the wall clock in the forms that log lines need; lines of the same second share it. */
export class Second {
  /** Seconds since the epoch. */
  readonly at: number;
  /** `2026-11-23T09:00:00` */
  readonly utc: string;
  readonly local: string;
  /** `Z` or `+01:00` */
  readonly zone: string;
  /** `23/Nov/2026:09:00:00 +0000` */
  readonly common: string;
  readonly commonLocal: string;
  /** The begin of a JSON line. */
  readonly json: Uint8Array;

  constructor(at: number) {
    this.at = at;
    const date = new Date(at * 1000);
    const offset = -date.getTimezoneOffset();
    this.utc = date.toISOString().slice(0, 19);
    this.local = new Date(at * 1000 + offset * 60_000).toISOString().slice(0, 19);
    const minutes = Math.abs(offset);
    const hh = pad(Math.trunc(minutes / 60));
    const mm = pad(minutes % 60);
    const sign = offset < 0 ? '-' : '+';
    this.zone = offset === 0 ? 'Z' : `${sign}${hh}:${mm}`;
    this.common = `${common(this.utc)} +0000`;
    this.commonLocal = `${common(this.local)} ${sign}${hh}${mm}`;
    this.json = Buffer.from(`{"level":"info","msg":"","time":"${this.local}${this.zone}"`, 'latin1');
  }
}

/** `2026-11-23T09:00:00` → `23/Nov/2026:09:00:00` */
function common(time: string): string {
  return `${time.slice(8, 10)}/${MONTHS[Number(time.slice(5, 7)) - 1]}/${time.slice(0, 4)}:${time.slice(11)}`;
}

let newest = new Second(0);
let other = newest;

/** @param ms since the epoch */
export function secondOf(ms: number): Second {
  const at = Math.floor(ms / 1000);
  if (newest.at === at) return newest;
  if (other.at === at) return other;
  const second = new Second(at);
  // Two are kept: a line holds the second of the request's begin and that of its end.
  if (at > newest.at) {
    other = newest;
    newest = second;
  } else {
    other = second;
  }
  return second;
}

/** `.123`, or nothing for a whole second, as Go's RFC3339Nano. @param ms since the epoch, whole */
export function fraction(ms: number): string {
  const rest = ms % 1000;
  if (rest === 0) return '';
  const digits = rest < 10 ? `00${rest}` : rest < 100 ? `0${rest}` : `${rest}`;
  return `.${digits.endsWith('00') ? digits[0] : digits.endsWith('0') ? digits.slice(0, 2) : digits}`;
}

function pad(n: number): string {
  return n < 10 ? `0${n}` : String(n);
}
