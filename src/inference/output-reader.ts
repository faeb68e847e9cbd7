import type { RunOutput } from './graph.ts';
import type { Predictions } from './predictions.ts';

/** Writes the first `rows` rows of a run's outputs into predictions, from row `at` on. */
export type OutputReader = (outputs: readonly RunOutput[], at: number, rows: number, into: Predictions) => void;

export function numbers(output: RunOutput | undefined): ArrayLike<number | bigint> {
  return (output?.data ?? []) as ArrayLike<number | bigint>;
}

/** Whether numbers from one place to another, end excluded, are finite. */
export function areFinite(values: Float64Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (!Number.isFinite(values[at])) return false;
  return true;
}

export function reject(errors: Predictions['errors'], row: number): void {
  if (errors.has(row)) return;
  errors.set(row, { code: 'non_finite_output', message: 'the model returned no finite number' });
}
