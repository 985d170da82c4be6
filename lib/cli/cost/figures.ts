/** Amounts and rates as people read them. */

/** `$1,027.84`, `$0.0042`. */
export function formatDollars(value: number): string {
  const digits = value !== 0 && value < 0.1 ? 4 : 2;
  return `$${value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

/** Three digits that count: `0.123`, `57.1`, `12,300`. */
export function rounded(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 6 });
}
