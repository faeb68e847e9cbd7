import { batchOfRows } from '../model/json-rows.ts';
import type { JsonRow } from '../model/json-rows.ts';
import type { Predictions } from '../model/predictions.ts';
import type { RowErrorCode } from '../model/row-error.ts';
import type { ModelSession } from '../model/session.ts';
import type { NativeAnswer } from '../native/differences.ts';
import { compileNative } from '../native/compile.ts';
import { proofRows } from '../native/proof-rows.ts';
import { NativeRefusal } from '../native/refusal.ts';

/** Rows where a compiled function may go wrong, and what ONNX Runtime says of each. */
export type Proof = { readonly rows: readonly JsonRow[]; readonly answers: readonly NativeAnswer[] };

/** Of a row with one of these a compiled function has nothing to answer: it raises. */
const RAISED: ReadonlySet<RowErrorCode> = new Set([
  'null_feature',
  'out_of_range',
  'wrong_length',
  'value_too_large',
  'mistyped_value',
  'refused_by_model',
]);

/** Null for a model that is not compiled; why, says the compiler, which is asked again where the function is made. */
export async function proofOf(bytes: Uint8Array, session: ModelSession): Promise<Proof | null> {
  const rows = rowsFor(bytes, session);
  if (rows === null) return null;
  const { batch, unread } = batchOfRows(session.signature.features, rows);
  const predictions = await session.predict(batch, unread);
  const kept = rows.flatMap((row, index) => {
    const error = predictions.errors.get(index);
    return error !== undefined && RAISED.has(error.code) ? [] : [{ row, answer: answerOf(predictions, index) }];
  });
  return { rows: kept.map(({ row }) => row), answers: kept.map(({ answer }) => answer) };
}

function rowsFor(bytes: Uint8Array, { signature }: ModelSession): readonly JsonRow[] | null {
  try {
    return proofRows(compileNative(bytes, signature), signature);
  } catch (error) {
    if (error instanceof NativeRefusal) return null;
    throw error;
  }
}

function answerOf({ score, label, probabilities, rows }: Predictions, row: number): NativeAnswer {
  const classes = probabilities === null ? 0 : probabilities.length / rows;
  const failed = Number.isNaN(score[row] ?? Number.NaN) && (label?.[row] ?? -1) === -1;
  return {
    score: numberOrNull(score[row]),
    label: label === null || (label[row] ?? -1) === -1 ? null : (label[row] ?? null),
    probabilities:
      probabilities === null || failed ? null : [...probabilities.subarray(row * classes, (row + 1) * classes)],
  };
}

function numberOrNull(value = Number.NaN): number | null {
  return Number.isNaN(value) ? null : value;
}
