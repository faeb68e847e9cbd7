/** A number that was measured several times. */
export type Spread = { readonly median: number; readonly least: number; readonly most: number };

export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), least: Math.min(...values), most: Math.max(...values) };
}

/** The smallest value that at least this share of all does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** A table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export function spread({ median, least, most }: Spread, digits = 0): string {
  const text = (value: number): string => (digits === 0 ? thousands(value) : value.toFixed(digits));
  return `${text(median)} (${text(least)} to ${text(most)})`;
}

export function thousands(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** Something that is asked of pgscore; `met` is null where it was not measured. */
export type Requirement = { readonly what: string; readonly measured: string; readonly met: boolean | null };
