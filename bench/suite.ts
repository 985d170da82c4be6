/** What a bench suite is and says. Every figure is a row; every promise is a bar, computed in the run from rows beside it. */
export interface Row {
  readonly case: string;
  readonly subject: string;
  readonly metric: string;
  readonly value: number | null;
  readonly unit: string;
  /** Why there is no value, for a peer that cannot be had here. */
  readonly note?: string;
}

export interface Bar {
  readonly name: string;
  /** `<= 0.7`, `>= 20`, … */
  readonly limit: string;
  readonly value: number | null;
  readonly holds: boolean;
}

export interface SuiteContext {
  /** Records a row and shows it. */
  row(row: Row): void;
  /** Records a bar: the value, and what it must not exceed or fall below. */
  bar(name: string, value: number | null, limit: { readonly max: number } | { readonly min: number }): void;
  /** Says on stderr what is going on. */
  note(text: string): void;
  /** Whether a case was asked for (`--only`). */
  wants(name: string): boolean;
}

export interface Suite {
  readonly name: string;
  /** Versions of what is measured, by name. */
  versions(): Promise<Readonly<Record<string, string>>>;
  run(context: SuiteContext): Promise<void>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2;
}
