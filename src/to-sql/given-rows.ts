import type { JsonRow } from '../inference/json-rows.ts';
import { columnsOf, renameColumns } from '../inference/match-columns.ts';
import type { Signature } from '../inference/signature.ts';

/** Those where a function may go wrong are 2,000 mostly. */
const MOST_GIVEN = 1000;

/**
 * Of rows that came with the framework's predictions those to prove a compiled function on: at even distances where they are many, and
 * by the names of the features.
 * @throws PgscoreError feature_column_missing where they lack a feature
 */
export function givenRows({ features }: Signature, rows: readonly JsonRow[]): JsonRow[] {
  if (rows.length === 0) return [];
  const renamed = renameColumns(features, columnsOf(rows));
  const step = Math.max(1, rows.length / MOST_GIVEN);
  return Array.from({ length: Math.min(rows.length, MOST_GIVEN) }, (_, index) =>
    renamed(rows[Math.floor(index * step)] ?? {}),
  );
}
