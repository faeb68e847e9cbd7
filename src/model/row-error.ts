/** Why a row has no prediction. */
export type RowErrorCode =
  | 'null_feature'
  | 'out_of_range'
  | 'wrong_length'
  | 'value_too_large'
  | 'mistyped_value'
  | 'refused_by_model'
  | 'unknown_label'
  | 'non_finite_output';

/** One row that can't be scored: the reason as a code and in words, and the feature at fault where there is one. */
export type RowError = { code: RowErrorCode; message: string; feature?: string };
