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
 * Finds the column of every feature. It is the one that `columnMap` (feature -> column) names; else that of the same name; else
 * the only one of the same name but for case; else the only one whose name skl2onnx rewrites so. pgscore._matched_features()
 * and pgscore_models._match_features() do the same.
 * @returns column names in the order of the features
 * @throws PgscoreError feature_column_missing naming every feature without a column, or one of several
 */
export function matchColumns(
  features: readonly string[],
  columns: readonly string[],
  columnMap: Readonly<Record<string, string>> = {},
): string[] {
  const present = new Set(columns);
  const found = features.map((feature) => {
    const wanted = Object.hasOwn(columnMap, feature) ? (columnMap[feature] ?? feature) : feature;
    return present.has(wanted) ? wanted : alikeColumn(wanted, columns, features);
  });
  const missing = features.filter((_, index) => found[index] === undefined);
  if (missing.length > 0) throw columnsMissing(missing, columns);
  return found.filter((column) => column !== undefined);
}

const RULES: ((column: string) => string)[] = [(column) => column, exportedName];

/** A column that has the very name of another feature is never taken for one that is alike only when rewritten. */
function alikeColumn(wanted: string, columns: readonly string[], features: readonly string[]): string | undefined {
  for (const rule of RULES) {
    const alike = columns.filter(
      (column) =>
        rule(column).toLowerCase() === wanted.toLowerCase() && (rule !== exportedName || !features.includes(column)),
    );
    if (alike.length > 1) throw columnsAlike(wanted, alike);
    if (alike.length === 1) return alike[0];
  }
  return undefined;
}

/** A column as skl2onnx names the input for it. */
function exportedName(column: string): string {
  return column.replaceAll(/[^\p{L}\p{N}_+]/gu, '_');
}

function columnsMissing(missing: readonly string[], columns: readonly string[]): PgscoreError {
  return new PgscoreError('feature_column_missing', `no column for ${quoted(missing)} of the model`, {
    remedy: `Rename a column or map one with column_map. There are: ${columns.slice(0, 50).join(', ')}.`,
  });
}

function columnsAlike(feature: string, columns: readonly string[]): PgscoreError {
  return new PgscoreError(
    'feature_column_missing',
    `feature '${feature}' matches more than one column: ${quoted(columns)}`,
    {
      remedy: 'Leave all but one out, or deploy the model with the names of training, in their order (features).',
    },
  );
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ');
}
