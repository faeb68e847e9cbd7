import type { JsonRow } from './json-rows.ts';
import { matchColumns } from './match-columns.ts';
import type { Feature } from './signature.ts';

/**
 * Gives the features of rows with these columns the names that the model knows them by, and leaves out what it does not read.
 * @throws PgscoreError feature_column_missing naming every feature without a column
 */
export function renameColumns(features: readonly Feature[], columns: readonly string[]): (row: JsonRow) => JsonRow {
  const names = features.map(({ name }) => name);
  const found = matchColumns(names, columns);
  return (row) => Object.fromEntries(names.map((name, index) => [name, row[found[index] ?? name]]));
}

/** The columns that any of some rows has. */
export function columnsOf(rows: readonly JsonRow[]): string[] {
  const columns = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) columns.add(name);
  return [...columns];
}
