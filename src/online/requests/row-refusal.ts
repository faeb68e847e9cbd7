import type { RowError, RowErrorCode } from '../../inference/predictions.ts';
import { isFloat, type Feature } from '../../inference/signature.ts';
import { WireError, type WireErrorParts } from '../protocol/wire-error.ts';

/** Of class 22 but 22023, which is for arguments: score_or_null() gives NULL for each. */
const STATES: Partial<Record<RowErrorCode, string>> = {
  null_feature: '22004',
  mistyped_value: '42804',
  out_of_range: '22003',
};

const REMEDIES: Readonly<Record<RowErrorCode, string>> = {
  null_feature:
    'Fill the value in, score only rows that have it, have NULL for them (score_or_null), or deploy the model with null_values',
  mistyped_value: 'Pass a value of the type that pgscore.models lists for the feature.',
  out_of_range: 'Pass a value that the type of the feature can hold.',
  wrong_length: 'Pass an array of the length that pgscore.models lists for the feature.',
  value_too_large: 'Pass a shorter value.',
  refused_by_model: 'Look at the values of the row: ONNX Runtime says why it refused them.',
  unknown_label: 'Deploy the model again with all its class_labels.',
  non_finite_output: 'Look at the values of the row: the model has no finite answer for them.',
};

/** Where the rows of a call stand among all that its caller gave: the first of them, from 1, of how many. */
export type RowRange = { readonly first: number; readonly of: number };

/** A row that can't be scored, and which. */
export class RowRefusal extends WireError {
  readonly #parts: WireErrorParts;
  readonly #index: number;

  constructor(sqlstate: string, message: string, parts: WireErrorParts, index: number, rows: number) {
    super(sqlstate, message, { ...parts, detail: rows === 1 ? undefined : `Row ${index + 1} of ${rows}.` });
    this.#parts = parts;
    this.#index = index;
  }

  /** This refusal with the number of the row among all that the caller gave. */
  renumbered({ first, of }: RowRange): RowRefusal {
    return new RowRefusal(this.sqlstate, this.message, this.#parts, this.#index + first - 1, of);
  }
}

/** Why a call has no answer: row `index` of `rows` can't be scored. */
export function rowRefusal(error: RowError, features: readonly Feature[], index: number, rows: number): RowRefusal {
  const { code, message } = error;
  return new RowRefusal(STATES[code] ?? '22000', message, { hint: remedyOf(error, features) }, index, rows);
}

function remedyOf({ code, feature }: RowError, features: readonly Feature[]): string {
  if (code !== 'null_feature') return REMEDIES[code];
  const takesNaN = features.some(({ name, type }) => name === feature && isFloat(type));
  return `${REMEDIES.null_feature}${takesNaN ? " or nulls => 'nan'" : ''}.`;
}

/** Why a call has no answer: a row lacks a feature. A forgotten column is no NULL. */
export function missingFeature(name: string, index: number, rows: number): RowRefusal {
  const hint =
    'Pass a row with a column of that name, or a JSON object with that key; pgscore.models lists the features.';
  return new RowRefusal(
    '42703',
    `the row has no column "${name}", which is a feature of the model`,
    { hint },
    index,
    rows,
  );
}

/** Why a call has no answer: JSON that is no object. */
export function noRow(value: unknown, index: number, rows: number): RowRefusal {
  const hint = "Pass the columns of a row by their names, as in jsonb_build_object('name', value, …).";
  const message = `the model takes a row, not ${shown(value)}`;
  return new RowRefusal('42804', message, { hint }, index, rows);
}

/** What nests, however deep, is shown by its brackets. */
export function shown(value: unknown): string {
  if (typeof value !== 'object' || value === null) return (JSON.stringify(value) ?? '').slice(0, 80);
  return Array.isArray(value) ? '[…]' : '{…}';
}
