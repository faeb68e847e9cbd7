import { FieldWriter } from '../../copy/field-writer.ts';
import type { JsonRow } from '../../inference/json-rows.ts';
import { numbersOf } from '../../inference/predictions.ts';
import { NumberRows } from '../../inference/number-rows.ts';
import type { Feature } from '../../inference/signature.ts';
import { isStorableJson, storable } from '../../lib/text.ts';
import { WireError } from '../protocol/wire-error.ts';
import { scoreOf, type Answer, type Part } from '../requests/call.ts';
import type { KeyedCall, FinishedCall } from './logged-call.ts';

/** The columns of pgscore_data.online_block that encodeBlocks() writes. */
export const BLOCK_COLUMNS =
  'version_id, requested_by, request_id, asked_at, duration_ms, n_predictions, features, reals, inputs, scores, labels, probabilities, durations, later_ms, keys, event_times, error, is_shadow';
const FIELDS = BLOCK_COLUMNS.split(',').length;
/** Of a call that failed: all between n_predictions and error. */
const MISSING_FIELDS = 10;

/** Of a block, see online_block in migrations/0004_online.sql. No call has more. */
export const MOST_PREDICTIONS = 1000;
/** Bytes of a tuple without its texts and numbers: fields, lengths, when, how long and how many there are, heads of arrays. */
const FIXED_BYTES = 2 + 4 * FIELDS + 8 + 4 + 4 + 4 + 1 + 10 * 28;
/** Bytes of a row's features; what is longer, or no jsonb, is logged without them. */
const MOST_INPUT_BYTES = 16_384;

const MOST_BYTES_A_CHARACTER = 3;
const LENGTH_BYTES = 4;
/** Of a number and of a real as elements of an array, with their length. */
const NUMBER_BYTES = 12;
const REAL_BYTES = 8;

/** Tuples of calls one behind the other, and where those of each call end. */
export type EncodedBlocks = { readonly bytes: Buffer; readonly ends: readonly number[] };

/** Whether a row of so many numbers is logged with them. */
export function areStored(width: number): boolean {
  return NUMBER_BYTES * width <= MOST_INPUT_BYTES;
}

/** Calls as tuples of binary COPY, a block each. */
export function encodeBlocks(calls: readonly KeyedCall[]): EncodedBlocks {
  const blocks = calls.map((keyed): Block => ({ ...keyed, inputs: inputsOf(keyed.call) }));
  const writer = new FieldWriter(blocks.reduce((sum, block) => sum + mostBytesOf(block), 0));
  const ends = blocks.map((block) => {
    writeBlock(writer, block);
    return writer.length;
  });
  return { bytes: writer.written(), ends };
}

/** A call, and its rows as they are logged; none of one that failed. */
type Block = KeyedCall & { readonly inputs: NumberRows | string | undefined };

function inputsOf({ request, rows, answered }: FinishedCall): Block['inputs'] {
  if (!request.inputs || answered === undefined) return undefined;
  if (rows instanceof NumberRows) return areStored(rows.width) ? rows : undefined;
  return `[${rows.map((row) => textOf(row, answered.signature.features)).join()}]`;
}

function textOf(row: JsonRow, features: readonly Feature[]): string {
  const text = JSON.stringify(Object.fromEntries(features.map(({ name }) => [name, row[name]])));
  return text.length > MOST_INPUT_BYTES || !isStorableJson(text) ? 'null' : text;
}

function mostBytesOf({ call, keys, eventTimes, inputs }: Block): number {
  const { request, answered, joined } = call;
  const texts = bytesOf(request.role) + bytesOf(request.id) + bytesOf(errorOf(call));
  if (answered === undefined) return FIXED_BYTES + texts;
  const areReals = inputs instanceof NumberRows && inputs.areReals;
  const width = inputs instanceof NumberRows ? inputs.width : 0;
  const others = 2 + numbersARow(answered) + (joined === undefined ? 0 : 2) + (eventTimes === null ? 0 : 1);
  // What is reserved for them counts until they are written, and makes the collector come sooner.
  const bytesOfRow = (areReals ? REAL_BYTES : NUMBER_BYTES) * width + NUMBER_BYTES * others;
  const json = typeof inputs === 'string' ? bytesOf(inputs) : 0;
  return FIXED_BYTES + texts + call.rows.length * bytesOfRow + json + mostBytesOfKeys(keys);
}

function bytesOf(text: string | null): number {
  return MOST_BYTES_A_CHARACTER * (text?.length ?? 0);
}

function writeBlock(writer: FieldWriter, { call, keys, eventTimes, inputs }: Block): void {
  const { isShadow = false } = call.request;
  writer.beginTuple(FIELDS);
  writeCall(writer, call);
  writer.int4Field(call.answered === undefined ? 0 : call.rows.length);
  if (call.answered === undefined) {
    for (let field = 0; field < MISSING_FIELDS; field += 1) writer.null();
    writer.text(storable(errorOf(call) ?? ''));
    return writer.bool(isShadow);
  }
  writeInputs(writer, inputs);
  writePredictions(writer, call.answered);
  writeTimes(writer, call);
  writeKeys(writer, keys);
  writeEventTimes(writer, eventTimes);
  writer.null();
  writer.bool(isShadow);
}

function writeCall(writer: FieldWriter, { request, instant, elapsedMs }: FinishedCall): void {
  writer.int4Field(request.versionId);
  writer.text(request.role);
  if (request.id === null) writer.null();
  else writer.text(storable(request.id));
  writer.int8Field(instant);
  writer.float4(elapsedMs);
}

function errorOf({ outcome }: FinishedCall): string | null {
  return outcome instanceof WireError ? outcome.message : null;
}

/** Three fields, of which one at most is written: all numbers, numbers that were all given as real, or JSON. */
function writeInputs(writer: FieldWriter, inputs: Block['inputs']): void {
  const numbers = inputs instanceof NumberRows ? inputs : undefined;
  if (numbers === undefined || numbers.areReals) writer.null();
  else writeNumberRows(writer, numbers, 'float8');
  if (numbers?.areReals === true) writeNumberRows(writer, numbers, 'float4');
  else writer.null();
  if (typeof inputs === 'string') writer.jsonb(inputs);
  else writer.null();
}

function writeNumberRows(writer: FieldWriter, rows: NumberRows, type: 'float4' | 'float8'): void {
  const field = writer.beginArray(type, rows.length, rows.width);
  for (let row = 0; row < rows.length; row += 1) {
    for (let index = 0; index < rows.width; index += 1) {
      const value = type === 'float4' ? rows.get(row, index) : rows.written(row, index);
      if (value === null) writer.null();
      else if (type === 'float4') writer.float4(value);
      else writer.float8(value);
    }
  }
  writer.endField(field);
}

function numbersARow({ parts: [part] }: Answer): number {
  return part === undefined ? 0 : numbersOf(part.predictions).width;
}

function writePredictions(writer: FieldWriter, answer: Answer): void {
  const { parts } = answer;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const scores = writer.beginArray('float8', rows);
  for (const part of parts) writeScores(writer, part);
  writer.endField(scores);
  if (parts.some(({ predictions: { label } }) => label === null)) writer.null();
  else {
    const labels = writer.beginArray('int4', rows);
    for (const part of parts) writeLabels(writer, part);
    writer.endField(labels);
  }
  if (parts.some(({ predictions }) => numbersOf(predictions).numbers === null)) return writer.null();
  const field = writer.beginArray('float8', rows, numbersARow(answer));
  for (const part of parts) writeNumbers(writer, part);
  writer.endField(field);
}

/** Of several calls, how long each took, and how much later it was asked. */
function writeTimes(writer: FieldWriter, { joined }: FinishedCall): void {
  if (joined === undefined) {
    writer.null();
    return writer.null();
  }
  const durations = writer.beginArray('float4', joined.elapsedMs.length);
  for (const ms of joined.elapsedMs) writer.float4(ms);
  writer.endField(durations);
  const later = writer.beginArray('int4', joined.laterMs.length);
  for (const ms of joined.laterMs) writer.int4Field(ms);
  writer.endField(later);
}

function mostBytesOfKeys(keys: KeyedCall['keys']): number {
  const width = widthOf(keys);
  const texts = keys.reduce((sum, key) => (key ?? []).reduce((more, part) => more + bytesOf(part), sum), 0);
  return LENGTH_BYTES * width * keys.length + texts;
}

/** Of how many columns a key is; 0 where there is none. */
function widthOf(keys: KeyedCall['keys']): number {
  return keys.find((key) => key !== null)?.length ?? 0;
}

function writeKeys(writer: FieldWriter, keys: KeyedCall['keys']): void {
  const width = widthOf(keys);
  if (width === 0) return writer.null();
  const field = writer.beginArray('text', keys.length, width);
  for (const key of keys) {
    for (let part = 0; part < width; part += 1) {
      const text = key?.[part];
      if (text === undefined) writer.null();
      else writer.text(text);
    }
  }
  writer.endField(field);
}

function writeEventTimes(writer: FieldWriter, times: KeyedCall['eventTimes']): void {
  if (times === null || times.every(Number.isNaN)) return writer.null();
  const field = writer.beginArray('timestamptz', times.length);
  for (const time of times) {
    if (Number.isNaN(time)) writer.null();
    else writer.int8Field(time);
  }
  writer.endField(field);
}

function writeScores(writer: FieldWriter, { predictions, from, rows }: Part): void {
  for (let at = from; at < from + rows; at += 1) {
    const value = scoreOf(predictions, at);
    if (value === null) writer.null();
    else writer.float8(value);
  }
}

function writeLabels(writer: FieldWriter, { predictions: { label }, from, rows }: Part): void {
  for (let at = from; at < from + rows; at += 1) {
    const index = label?.[at] ?? -1;
    if (index < 0) writer.null();
    else writer.int4Field(index + 1);
  }
}

function writeNumbers(writer: FieldWriter, { predictions, from, rows }: Part): void {
  const { numbers, width } = numbersOf(predictions);
  for (let at = from * width; at < (from + rows) * width; at += 1) writer.float8(numbers?.[at] ?? Number.NaN);
}
