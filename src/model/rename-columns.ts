import type { JsonRow } from './json-rows.ts';
import { matchColumns } from './match-columns.ts';
import type { Feature } from './signature.ts';

/**
 * Gives the features of rows the names that the model knows them by, and leaves out what it does not read.
 * @throws PgscoreError feature_column_missing naming every feature without a column in any of the rows
 */
export function renameColumns(features: readonly Feature[], rows: readonly JsonRow[]): (row: JsonRow) => JsonRow {
  const names = features.map(({ name }) => name);
  const found = matchColumns(names, [...new Set(rows.flatMap((row) => Object.keys(row)))]);
  return (row) => Object.fromEntries(names.map((name, index) => [name, row[found[index] ?? name]]));
}
