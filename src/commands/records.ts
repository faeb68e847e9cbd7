import stringWidth from 'string-width';
import { formatTable, visible } from './table.ts';
import type { Cell } from './table.ts';

/** A row of plain values under its column names. */
export type Row = Readonly<Record<string, unknown>>;

/** Rows as a table; a column of numbers stands at the right. `nothing` is said where there is no row. */
export function tableOf(rows: readonly Row[], nothing: string): string {
  return rows.length === 0 ? nothing : layOut(rows, title);
}

/** The result of a statement, under the names that its columns have in SQL. */
export function resultTable(rows: readonly Row[]): string {
  return layOut(rows, (name) => name);
}

function layOut(rows: readonly Row[], titled: (name: string) => string): string {
  const names = Object.keys(rows[0] ?? {});
  const columns = names.map((name) => ({ name: titled(name), right: rows.some((row) => isNumber(row[name])) }));
  return formatTable(
    columns,
    rows.map((row) => names.map((name) => cellOf(row[name]))),
  );
}

/** One row as lines of name and value; what is null is left out. */
export function listOf(row: Row): string {
  const entries = Object.entries(row).flatMap(([name, value]) => {
    const cell = cellOf(value);
    return cell === null || cell === '' ? [] : [[title(name), cell] as const];
  });
  return pairs(entries);
}

/** Names and values in two columns. */
export function pairs(entries: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...entries.map(([name]) => stringWidth(name)));
  const hanging = `\n${' '.repeat(width + 2)}`;
  return entries
    .map(
      ([name, value]) => `${name}${' '.repeat(width - stringWidth(name))}  ${visible(value).replaceAll('\n', hanging)}`,
    )
    .join('\n');
}

/** A value as people read it: instants in UTC to the second, lists with commas, fractions to seven digits. */
export function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return instant(value);
  if (Array.isArray(value)) return value.map((item) => cellOf(item) ?? '').join(', ');
  if (typeof value === 'object') return JSON.stringify(value);
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(7)));
  return typeof value === 'string' ? value : String(value as number | bigint | boolean);
}

function instant(date: Date): string {
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}

function title(name: string): string {
  return name.replaceAll('_', ' ');
}
