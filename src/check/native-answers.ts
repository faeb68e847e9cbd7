import type { Queryable } from '../postgres/statement.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { Feature, Signature } from '../inference/signature.ts';
import { decisionOf } from '../to-sql/decision.ts';
import type { NativeAnswer } from '../to-sql/differences.ts';
import type { Part } from '../to-sql/parts.ts';

type Row = {
  readonly score: number | null;
  readonly label: number | null;
  readonly probabilities: readonly number[] | null;
};

/** A compiled score that has two forms is asked for each, whatever the age of the statement. */
export type Form = '' | '_few' | '_many';

/** What the compiled functions of a version say of rows; of a binary model, what follows from its score. */
export async function nativeAnswers(
  client: Queryable,
  versionId: number,
  signature: Signature,
  parts: readonly Part[],
  rows: readonly JsonRow[],
  form: Form,
): Promise<NativeAnswer[]> {
  const text = question(versionId, signature.features, parts, form);
  const values = [JSON.stringify(rows.map((row, index) => numbered(row, index, signature.features)))];
  const { rows: answers } = await client.query<Row>(text, values);
  return answers.map(completed(signature, parts));
}

function question(versionId: number, features: readonly Feature[], parts: readonly Part[], form: Form): string {
  const columns = features.map((feature, index) => `f${index} ${argumentType(feature)}`);
  const names = features.map((_, index) => `r.f${index}`).join(', ');
  const call = (part: Part, suffix: string): string =>
    parts.includes(part) ? `pgscore_models._v${versionId}${suffix}(${names})` : 'null';
  return (
    `select ${call('score', form)} as score, ${call('label', '_label')} as label, ${call('probabilities', '_probabilities')} as probabilities` +
    ` from jsonb_to_recordset($1) as r (n int, ${columns.join(', ')}) order by r.n`
  );
}

/** As pgscore_data._argument_type() has it. */
function argumentType({ type, width }: Feature): string {
  if (width > 1) return 'double precision[]';
  if (type === 'float32' || type === 'float64') return 'double precision';
  if (type === 'int32' || type === 'int64') return 'bigint';
  return type === 'bool' ? 'boolean' : 'text';
}

function numbered(row: JsonRow, index: number, features: readonly Feature[]): Record<string, unknown> {
  const cells = features.map(({ name }, feature) => [`f${feature}`, row[name]] as const);
  return { n: index, ...Object.fromEntries(cells) };
}

/** What is not compiled follows from what is. */
function completed(signature: Signature, parts: readonly Part[]): (answer: Row) => NativeAnswer {
  if (signature.task === 'regression' || !(parts.includes('score') || parts.includes('probabilities')))
    return (answer) => answer;
  return signature.task === 'binary' ? binary(signature) : multiclass;
}

function multiclass({ label, probabilities }: Row): NativeAnswer {
  return { score: label === null ? null : (probabilities?.[label] ?? null), label, probabilities };
}

/** As pgscore_models._predict() has it. */
function binary(signature: Signature): (answer: Row) => NativeAnswer {
  const positive = signature.classLabels.indexOf(signature.positiveClass ?? '');
  const { relation, limit } = decisionOf(signature);
  return ({ score }) => {
    if (score === null) return { score, label: null, probabilities: null };
    const other = 1 - score;
    const near = Math.fround(score);
    return {
      score,
      label: near > limit || (near === limit && relation === '>=') ? positive : 1 - positive,
      probabilities: positive === 1 ? [other, score] : [score, other],
    };
  };
}
