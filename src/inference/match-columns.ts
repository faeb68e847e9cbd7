import { PgscoreError } from '../errors.ts';

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
