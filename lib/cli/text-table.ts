/** Aligned columns for a terminal. */
import { printable } from '../compiler/ir/print.js';

const MAX_WIDTH = 48;

/** Columns as wide as their widest cell; a cell too long to line up with moves only its own row. Characters that steer a terminal are shown. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of clean) {
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, Math.min(cell.length, MAX_WIDTH));
  }
  return clean
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}
