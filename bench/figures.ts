const MEBIBYTE = 1_048_576;

/** Three significant figures, which is more than the noise leaves. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (value === 0) return '0';
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function mebibytes(bytes: number): string {
  const value = bytes / MEBIBYTE;
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1);
}
