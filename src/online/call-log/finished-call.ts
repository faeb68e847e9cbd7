import type { FeatureRows } from '../../inference/number-rows.ts';
import type { Answer } from '../requests/answer.ts';
import type { ScoreRequest } from '../requests/parse.ts';

/** A call that was answered, or several as one, as it is kept and counted. */
export type SettledCall = {
  readonly request: Pick<ScoreRequest, 'versionId' | 'role' | 'id' | 'inputs'>;
  readonly rows: FeatureRows;
  /** Undefined where it failed. */
  readonly answered: Answer | undefined;
  /** When it was asked, in microseconds since 2000; of several the first. */
  readonly instant: number;
  /** Of several the longest. */
  readonly elapsedMs: number;
  /** Of several, how many, and for each row how long its call took, and how much later than the first it was asked. */
  readonly each?: { readonly calls: number; readonly elapsedMs: Float32Array; readonly laterMs: Int32Array };
};
