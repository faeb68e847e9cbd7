import { PgscoreError } from '../errors.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { Predictions } from '../inference/predictions.ts';
import { columnsOf, renameColumns } from '../inference/rename-columns.ts';
import type { ModelSession } from '../inference/session.ts';
import { expectedColumns, TOLERANCE } from './expected-column.ts';
import type { ExpectedColumn } from './expected-column.ts';
import { predictRows } from './trial.ts';

/** Rows that are scored at a time. */
const CHUNK = 4096;

/** The place where our predictions are the furthest from the framework's: row counts from 1. */
export type Difference = { readonly difference: number; readonly row: number; readonly column: string };

export type ExpectationReport = {
  /** Rows compared. */
  readonly rows: number;
  /** The largest |difference| / max(1, |reference|). */
  readonly worst: Difference | null;
};

/**
 * Compares the predictions of a model with those that the training framework gave for the same rows: columns
 * expected_label, expected_score, expected_value and expected_probability_<class> beside the features. A blank cell is
 * not compared.
 * @throws PgscoreError model_expectation_wrong, model_expectation_failed, feature_column_missing
 */
export async function compareExpected(session: ModelSession, rows: readonly JsonRow[]): Promise<ExpectationReport> {
  const columns = columnsOf(rows);
  const expected = expectedColumns(session.signature, columns);
  const named = renameColumns(session.signature.features, columns);
  let worst: Difference | null = null;
  for (let from = 0; from < rows.length; from += CHUNK) {
    const chunk = rows.slice(from, from + CHUNK);
    const predictions = await predictRows(session, chunk.map(named));
    const differences = chunk.flatMap((row, index) => compareRow(expected, row, predictions, index, from + index + 1));
    worst = differences.reduce<Difference | null>(larger, worst);
  }
  return { rows: rows.length, worst };
}

function larger(one: Difference | null, other: Difference | null): Difference | null {
  return (other?.difference ?? -1) > (one?.difference ?? -1) ? other : one;
}

function compareRow(
  expected: readonly ExpectedColumn[],
  row: JsonRow,
  predictions: Predictions,
  index: number,
  number: number,
): Difference[] {
  const unscored = predictions.errors.get(index);
  if (unscored !== undefined) {
    throw new PgscoreError('model_expectation_failed', `row ${number} can not be scored: ${unscored.message}`, {
      remedy: 'Correct the row, or say what becomes of NULL: nulls and null_values.',
    });
  }
  return expected
    .filter(({ name }) => !isBlank(row[name]))
    .map((column) => {
      const difference = column.difference(row[column.name], predictions, index);
      if (!(difference <= TOLERANCE)) throw differs(column, row, predictions, index, number);
      return { difference, row: number, column: column.name };
    });
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function differs(
  { name, actual }: ExpectedColumn,
  row: JsonRow,
  predictions: Predictions,
  index: number,
  number: number,
): PgscoreError {
  const [reference, ours] = [String(row[name] as string | number), actual(predictions, index)];
  return new PgscoreError(
    'model_expectation_failed',
    `row ${number}: ${name} is ${reference}, the exported model predicts ${ours}`,
    {
      remedy:
        'The export does not compute what the framework computes. Check the order of the features, the treatment of ' +
        'missing values, and the version of the exporter.',
    },
  );
}
