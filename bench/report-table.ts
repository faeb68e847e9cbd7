import type { Spread } from './spread.ts';

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
