import { PgscoreError } from '../errors.ts';
import { rowsOf, type Connection } from './connection.ts';

/** Values of one row by the names of the features; columns that the model does not take are ignored. */
export type FeatureRow = Readonly<
  Record<
    string,
    string | number | bigint | boolean | Date | null | readonly unknown[] | ArrayLike<number> | ArrayLike<bigint>
  >
>;

/** What a model says of one row. */
export type Prediction = {
  /** The probability of the positive class, or of the label with more than two classes; the value of a regression. null of several targets or labels. */
  readonly score: number | null;
  /** The predicted class; null for a regression. */
  readonly label: string | null;
  /** By class, or by label of several, in the order of the model; null for a regression. */
  readonly probabilities: readonly number[] | null;
  /** By the name of the target or quantile; null for a model of one value. */
  readonly values: Readonly<Record<string, number>> | null;
  /** Which of several labels apply; null for any other model. */
  readonly labels: readonly string[] | null;
  /** The vector of a model whose task is embedding; null for any other. */
  readonly embedding: readonly number[] | null;
  /** The version that answered, such as `churn@3`. */
  readonly version: string;
};

const SCORE = `select s.score, s.label, s.probabilities, s.outputs -> 'values' as values, s.outputs -> 'labels' as labels, s.outputs -> 'embedding' as embedding, s.version
    from pgscore.score_rows($1, array(
           select e.features from jsonb_array_elements($2::jsonb) with ordinality e (features, number) order by e.number))
         with ordinality s
   order by s.ordinality`;

/**
 * Scores rows at once, in the order given, inside of the connection's transaction. The service answers, and logs each
 * prediction; `set pgscore.execution = native` on the connection has PostgreSQL compute a native model without it. Needs
 * membership in pgscore_user and a grant of the model.
 *
 * @param model `churn` (its champion), `churn@3` or `churn@challenger`
 * @throws PgscoreError `usage` if the rows are no array, or a number is not finite; `statement_failed` with PostgreSQL's message and hint: a row that cannot be scored, a missing grant, no
 *   service; its `cause` has the SQLSTATE. `database_unreachable` if the connection is lost
 */
export async function score(connection: Connection, model: string, rows: readonly FeatureRow[]): Promise<Prediction[]> {
  if (!Array.isArray(rows)) throw notRows();
  return rows.length === 0 ? [] : rowsOf<Prediction>(connection, SCORE, [model, JSON.stringify(rows, finite)]);
}

function notRows(): PgscoreError {
  return new PgscoreError('usage', 'the rows of score() are not an array', {
    remedy: 'Pass an array, of one row too: score(client, model, [row]).',
  });
}

/** JSON would have null, which is another row, for a number that it has no form for, and an object for a typed array. */
function finite(this: unknown, name: string, value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>);
  if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) return Number(value);
  const isMissing = typeof value === 'number' && !Number.isFinite(value);
  if (!isMissing && typeof value !== 'bigint') return value;
  const what = Array.isArray(this) ? 'an element of an array' : `feature "${name}"`;
  throw new PgscoreError('usage', `${what} is ${value}, which JSON cannot hold`, {
    remedy: 'Pass null for a missing number, and a string for an integer past 2^53.',
  });
}
