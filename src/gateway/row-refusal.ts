import type { RowError, RowErrorCode } from '../model/row-error.ts';
import { WireError } from './wire-error.ts';

const STATES: Partial<Record<RowErrorCode, string>> = { null_feature: '22004', mistyped_value: '42804' };

const REMEDIES: Readonly<Record<RowErrorCode, string>> = {
  null_feature:
    "Fill the value in, score only rows that have it, or deploy the model with null_values or nulls => 'nan'.",
  mistyped_value: 'Pass a value of the type that pgscore.models lists for the feature.',
  out_of_range: 'Pass a value that the type of the feature can hold.',
  wrong_length: 'Pass an array of the length that pgscore.models lists for the feature.',
  value_too_large: 'Pass a shorter value.',
  refused_by_model: 'Look at the values of the row: ONNX Runtime says why it refused them.',
  unknown_label: 'Deploy the model again with all its class_labels.',
  non_finite_output: 'Look at the values of the row: the model has no finite answer for them.',
};

/** Why a call has no answer: row `index` of `rows` can't be scored. */
export function rowRefusal({ code, message }: RowError, index: number, rows: number): WireError {
  return new WireError(STATES[code] ?? '22023', message, { detail: rowDetail(index, rows), hint: REMEDIES[code] });
}

/** Why a call has no answer: a row lacks a feature. A forgotten column is no NULL. */
export function missingFeature(name: string, index: number, rows: number): WireError {
  return new WireError('42703', `the row has no column "${name}", which is a feature of the model`, {
    detail: rowDetail(index, rows),
    hint: 'Pass a row with a column of that name, or a JSON object with that key; pgscore.models lists the features.',
  });
}

function rowDetail(index: number, rows: number): string | undefined {
  return rows === 1 ? undefined : `Row ${index + 1} of ${rows}.`;
}
