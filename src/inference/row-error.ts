/** Why a row has no prediction, as a stable code. */
export const ROW_ERRORS = {
  null_feature: 'a feature is NULL or NaN, and the version takes no missing value there',
  out_of_range: 'a number is past what the type of its feature can hold',
  wrong_length: 'an array has another length than the model takes',
  value_too_large: 'a text or an array is past 16 MiB',
  mistyped_value: 'an expected row of a deploy holds a value that is nothing like its feature',
  refused_by_model: 'ONNX Runtime refused the row',
  unknown_label: 'the model returned a label that it never named',
  non_finite_output: 'the model returned NaN or an infinity',
} as const satisfies Record<string, string>;

export type RowErrorCode = keyof typeof ROW_ERRORS;

/** One row that can't be scored: the reason as a code and in words, and the feature at fault where there is one. */
export type RowError = { code: RowErrorCode; message: string; feature?: string };
