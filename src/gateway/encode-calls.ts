import { FieldWriter } from '../copy/field-writer.ts';
import { isStorableJson, storable } from '../lib/storable.ts';
import type { JsonRow } from '../model/json-rows.ts';
import { NumberRows } from '../model/number-rows.ts';
import type { Feature } from '../model/signature.ts';
import { scoreOf, type Answer, type Part } from './answer.ts';
import {
  bytesOf,
  bytesOfNumbers,
  CALL_COLUMNS,
  MOST_INPUT_BYTES,
  mostBytesOfFields,
  writeCallFields,
} from './call-fields.ts';
import type { Call } from './call.ts';
import type { Keyed } from './keyed.ts';
import { areNumbers } from './match-features.ts';
import { WireError } from './wire-error.ts';

/** The columns of pgscore_data.online_prediction that encodeCalls() writes. */
export const COLUMNS = `${CALL_COLUMNS}, features, inputs, score, label, probabilities, error, key`;
const FIELDS = COLUMNS.split(',').length;

/** Bytes of a tuple without its texts and arrays: fields, lengths, the score, heads of arrays. */
const FIXED_BYTES = 2 + 4 * 7 + 8 + 3 * 20;

/** Tuples of calls one behind the other, and where those of each call end. */
export type EncodedCalls = { readonly bytes: Buffer; readonly ends: readonly number[] };

/** Calls that are not kept as blocks as tuples of binary COPY: one for each prediction, one for a call that failed. */
export function encodeCalls(calls: readonly Keyed<Call>[]): EncodedCalls {
  const given = calls.map(({ call, keys }) => ({ inputs: inputsOf(call), keys }));
  const writer = new FieldWriter(calls.reduce((sum, { call }, index) => sum + mostBytesOf(call, given[index]), 0));
  const ends = calls.map(({ call }, index) => {
    writeCall(writer, call, given[index]);
    return writer.length;
  });
  return { bytes: writer.written(), ends };
}

/** What is kept of the rows of a call: their features, if anything, and what each is about. */
type Given = { readonly inputs: Inputs | undefined; readonly keys: Keyed<Call>['keys'] };

/** What was given, for each row: nothing, numbers in the order of these features, or JSON where there is more than numbers. */
type Inputs = {
  readonly features: readonly Feature[];
  readonly rows: readonly JsonRow[];
  readonly texts: readonly (string | null | undefined)[];
};

function inputsOf({ settled, request, rows }: Call): Inputs | undefined {
  if (settled === undefined || settled instanceof WireError || rows instanceof NumberRows || !request.inputs)
    return undefined;
  const { features } = settled.signature;
  const short = bytesOfNumbers(features.length) <= MOST_INPUT_BYTES;
  const texts = rows.map((row) => (short && areNumbers(row, features) ? undefined : textOf(row, features)));
  return { features, rows, texts };
}

function textOf(row: JsonRow, features: readonly Feature[]): string | null {
  const text = JSON.stringify(Object.fromEntries(features.map(({ name }) => [name, row[name]])));
  return text.length > MOST_INPUT_BYTES || !isStorableJson(text) ? null : text;
}

function mostBytesOf(call: Call, given: Given | undefined): number {
  const { settled, rows } = call;
  const shared = FIXED_BYTES + mostBytesOfFields(call);
  if (settled === undefined || settled instanceof WireError) return shared + bytesOf(settled?.message ?? null);
  const { classLabels } = settled.signature;
  const label = classLabels.reduce((most, text) => Math.max(most, bytesOf(text)), 0);
  const { inputs, keys = [] } = given ?? {};
  const numbers = bytesOfNumbers((inputs?.features.length ?? 0) + classLabels.length);
  const texts = inputs?.texts.reduce((sum, text) => sum + bytesOf(text ?? null), 0) ?? 0;
  const keyBytes = keys.reduce((sum, key) => (key ?? []).reduce((more, part) => more + 4 + bytesOf(part), sum), 0);
  return rows.length * (shared + label + numbers) + texts + keyBytes;
}

function writeCall(writer: FieldWriter, call: Call, given: Given | undefined): void {
  const { settled } = call;
  if (settled === undefined || settled instanceof WireError) {
    writeShared(writer, call);
    for (let field = 0; field < 5; field += 1) writer.null();
    writer.text(storable(settled?.message ?? ''));
    return writer.null();
  }
  let row = 0;
  for (const part of settled.parts) {
    for (let at = part.from; at < part.from + part.rows; at += 1, row += 1) {
      writeShared(writer, call);
      writeInputs(writer, given?.inputs, row);
      writePrediction(writer, settled, part, at);
      writer.null();
      writeKey(writer, given?.keys[row] ?? null);
    }
  }
}

function writeShared(writer: FieldWriter, call: Call): void {
  writer.beginTuple(FIELDS);
  writeCallFields(writer, call);
}

function writeInputs(writer: FieldWriter, inputs: Inputs | undefined, row: number): void {
  const text = inputs === undefined ? null : inputs.texts[row];
  if (inputs !== undefined && text === undefined) writeFeatures(writer, inputs, row);
  else writer.null();
  if (typeof text === 'string') writer.jsonb(text);
  else writer.null();
}

function writeFeatures(writer: FieldWriter, { features, rows }: Inputs, row: number): void {
  const field = writer.beginArray('float8', features.length);
  for (const { name } of features) {
    const value = rows[row]?.[name];
    if (typeof value === 'number') writer.float8(value);
    else writer.null();
  }
  writer.endField(field);
}

function writePrediction(writer: FieldWriter, { signature: { classLabels } }: Answer, part: Part, at: number): void {
  const { label, probabilities } = part.predictions;
  const value = scoreOf(part.predictions, at);
  if (value === null) writer.null();
  else writer.float8(value);
  const text = label === null ? undefined : classLabels[label[at] ?? -1];
  if (text === undefined) writer.null();
  else writer.text(text);
  if (probabilities === null) return writer.null();
  const classes = classLabels.length;
  const field = writer.beginArray('float8', classes);
  for (let index = at * classes; index < (at + 1) * classes; index += 1)
    writer.float8(probabilities[index] ?? Number.NaN);
  writer.endField(field);
}

function writeKey(writer: FieldWriter, key: readonly string[] | null): void {
  if (key === null) return writer.null();
  const field = writer.beginArray('text', key.length);
  for (const part of key) writer.text(part);
  writer.endField(field);
}
