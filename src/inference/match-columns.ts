import type { JsonRow } from './json-rows.ts';
import type { Feature } from './signature.ts';
import { PgscoreError } from '../errors.ts';

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

/**
 * Finds the column of every feature: the one that `columnMap` (feature -> column) names, else of the same name, else of
 * the same name but for case where there is only one.
 * @returns column names in the order of the features
 * @throws PgscoreError feature_column_missing naming every feature without a column
 */
export function matchColumns(
  features: readonly string[],
  columns: readonly string[],
  columnMap: Readonly<Record<string, string>> = {},
): string[] {
  const present = new Set(columns);
  const found = features.map((feature) => {
    const wanted = Object.hasOwn(columnMap, feature) ? (columnMap[feature] ?? feature) : feature;
    if (present.has(wanted)) return wanted;
    const alike = columns.filter((column) => column.toLowerCase() === wanted.toLowerCase());
    return alike.length === 1 ? alike[0] : undefined;
  });
  const missing = features.filter((_, index) => found[index] === undefined);
  if (missing.length > 0) throw columnsMissing(missing, columns);
  return found.filter((column) => column !== undefined);
}

function columnsMissing(missing: readonly string[], columns: readonly string[]): PgscoreError {
  const names = missing.map((name) => `'${name}'`).join(', ');
  const trained = columns.find((column) => missing.includes(exportedName(column)));
  const rename = trained === undefined ? 'Rename a column or map one with column_map.' : rewritten(trained);
  return new PgscoreError('feature_column_missing', `no column for ${names} of the model`, {
    remedy: `${rename} There are: ${columns.slice(0, 50).join(', ')}.`,
  });
}

/** A column as skl2onnx names the input for it. */
function exportedName(column: string): string {
  return column.replaceAll(/[^\p{L}\p{N}_+]/gu, '_');
}

function rewritten(column: string): string {
  return `skl2onnx writes '${column}' so: deploy the model with the names of training, in their order (features).`;
}
