import { FieldWriter } from '../../copy/field-writer.ts';
import { storable, isStorableJson } from '../../lib/text.ts';
import type { FinishedCall, Keyed } from './logged-call.ts';
import type { JsonRow } from '../../inference/json-rows.ts';
import { NumberRows } from '../../inference/number-rows.ts';
import type { Feature } from '../../inference/signature.ts';
import { scoreOf, type Answer, type Part, type Call } from '../requests/call.ts';
import { WireError } from '../protocol/wire-error.ts';

/** The columns that writeCallFields() writes. */
export const CALL_COLUMNS = 'version_id, requested_by, request_id, asked_at, duration_ms';

const FIXED_FIELD_BYTES = 5 * 4 + 16;
const MOST_BYTES_A_CHARACTER = 3;
/** Of an element of an array, with its length. */
const NUMBER_BYTES = 12;
/** Bytes of a row's features; what is longer, or no jsonb, is kept without them. */
export const MOST_INPUT_BYTES = 16_384;

/** What is known of a prediction before it is made. */
export function writeCallFields(
  writer: FieldWriter,
  { request, instant, elapsedMs }: Pick<FinishedCall, 'request' | 'instant' | 'elapsedMs'>,
): void {
  writer.int4Field(request.versionId);
  writer.text(request.role);
  if (request.id === null) writer.null();
  else writer.text(storable(request.id));
  writer.int8Field(instant);
  writer.float4(elapsedMs);
}

/** Bytes that writeCallFields() takes at most. */
export function mostBytesOfFields({ request: { role, id } }: Pick<FinishedCall, 'request'>): number {
  return FIXED_FIELD_BYTES + bytesOf(role) + bytesOf(id);
}

/** Bytes that a text takes at most, without its length. */
export function bytesOf(text: string | null): number {
  return MOST_BYTES_A_CHARACTER * (text?.length ?? 0);
}

/** Bytes that so many numbers take at most as elements of an array, without its head. */
export function bytesOfNumbers(numbers: number): number {
  return NUMBER_BYTES * numbers;
}

/** The columns of pgscore_data.online_prediction that encodeCalls() writes. */
export const COLUMNS = `${CALL_COLUMNS}, features, inputs, score, label, probabilities, error, key, event_time`;
const FIELDS = COLUMNS.split(',').length;

/** Bytes of a tuple without its texts and arrays: fields, lengths, the score, the time, heads of arrays. */
const FIXED_BYTES = 2 + 4 * 8 + 8 + 8 + 3 * 20;

/** Tuples of calls one behind the other, and where those of each call end. */
export type EncodedCalls = { readonly bytes: Buffer; readonly ends: readonly number[] };

/** Calls that are not kept as blocks as tuples of binary COPY: one for each prediction, one for a call that failed. */
export function encodeCalls(calls: readonly Keyed<Call>[]): EncodedCalls {
  const given = calls.map(givenOf);
  const writer = new FieldWriter(calls.reduce((sum, { call }, index) => sum + mostBytesOf(call, given[index]), 0));
  const ends = calls.map(({ call }, index) => {
    writeCall(writer, call, given[index]);
    return writer.length;
  });
  return { bytes: writer.written(), ends };
}

/** What is kept of the rows of a call: what was given for each, if anything, what each is about, and for what time. */
type Given = {
  readonly numbers: NumberRows | undefined;
  readonly texts: readonly (string | null)[];
  readonly keys: Keyed<Call>['keys'];
  readonly eventTimes: Keyed<Call>['eventTimes'];
};

function givenOf({ call: { answered, request, rows }, keys, eventTimes }: Keyed<Call>): Given {
  if (answered === undefined || !request.inputs) return { numbers: undefined, texts: [], keys, eventTimes };
  if (!(rows instanceof NumberRows))
    return { numbers: undefined, texts: rows.map((row) => textOf(row, answered.signature.features)), keys, eventTimes };
  return { numbers: bytesOfNumbers(rows.width) <= MOST_INPUT_BYTES ? rows : undefined, texts: [], keys, eventTimes };
}

function textOf(row: JsonRow, features: readonly Feature[]): string | null {
  const text = JSON.stringify(Object.fromEntries(features.map(({ name }) => [name, row[name]])));
  return text.length > MOST_INPUT_BYTES || !isStorableJson(text) ? null : text;
}

function mostBytesOf(call: Call, given: Given | undefined): number {
  const { outcome, rows } = call;
  const shared = FIXED_BYTES + mostBytesOfFields(call);
  if (outcome === undefined || outcome instanceof WireError) return shared + bytesOf(outcome?.message ?? null);
  const { classLabels } = outcome.signature;
  const label = classLabels.reduce((most, text) => Math.max(most, bytesOf(text)), 0);
  const { numbers, texts = [], keys = [] } = given ?? {};
  const numberBytes = bytesOfNumbers((numbers?.width ?? 0) + classLabels.length);
  const textBytes = texts.reduce((sum, text) => sum + bytesOf(text), 0);
  const keyBytes = keys.reduce((sum, key) => (key ?? []).reduce((more, part) => more + 4 + bytesOf(part), sum), 0);
  return rows.length * (shared + label + numberBytes) + textBytes + keyBytes;
}

function writeCall(writer: FieldWriter, call: Call, given: Given | undefined): void {
  const { outcome } = call;
  if (outcome === undefined || outcome instanceof WireError) {
    writeShared(writer, call);
    for (let field = 0; field < 5; field += 1) writer.null();
    writer.text(storable(outcome?.message ?? ''));
    writer.null();
    return writer.null();
  }
  let row = 0;
  for (const part of outcome.parts) {
    for (let at = part.from; at < part.from + part.rows; at += 1, row += 1) {
      writeShared(writer, call);
      writeInputs(writer, given, row);
      writePrediction(writer, outcome, part, at);
      writer.null();
      writeAbout(writer, given, row);
    }
  }
}

function writeShared(writer: FieldWriter, call: Call): void {
  writer.beginTuple(FIELDS);
  writeCallFields(writer, call);
}

function writeInputs(writer: FieldWriter, given: Given | undefined, row: number): void {
  if (given?.numbers === undefined) writer.null();
  else writeFeatures(writer, given.numbers, row);
  const text = given?.texts[row] ?? null;
  if (text === null) writer.null();
  else writer.jsonb(text);
}

function writeFeatures(writer: FieldWriter, rows: NumberRows, row: number): void {
  const field = writer.beginArray('float8', rows.width);
  for (let index = 0; index < rows.width; index += 1) {
    const value = rows.written(row, index);
    if (value === null) writer.null();
    else writer.float8(value);
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

function writeAbout(writer: FieldWriter, given: Given | undefined, row: number): void {
  writeKey(writer, given?.keys[row] ?? null);
  writeTime(writer, given?.eventTimes?.[row] ?? Number.NaN);
}

function writeKey(writer: FieldWriter, key: readonly string[] | null): void {
  if (key === null) return writer.null();
  const field = writer.beginArray('text', key.length);
  for (const part of key) writer.text(part);
  writer.endField(field);
}

function writeTime(writer: FieldWriter, time: number): void {
  if (Number.isNaN(time)) writer.null();
  else writer.int8Field(time);
}
