import { FieldWriter } from '../../copy/field-writer.ts';
import { NumberRows } from '../../inference/number-rows.ts';
import { scoreOf, type Answer, type Part } from '../requests/call.ts';
import {
  bytesOf,
  bytesOfNumbers,
  CALL_COLUMNS,
  MOST_INPUT_BYTES,
  mostBytesOfFields,
  writeCallFields,
  type EncodedCalls,
} from './encode-calls.ts';
import type { Keyed, FinishedCall } from './logged-call.ts';

/** The columns of pgscore_data.online_block that encodeBlocks() writes. */
export const BLOCK_COLUMNS = `${CALL_COLUMNS}, n_predictions, features, reals, scores, labels, probabilities, durations, later_ms, keys, event_times`;
const FIELDS = BLOCK_COLUMNS.split(',').length;

/** Predictions whose numbers a block may take, see online_block in migrations/0004_online.sql. */
const MOST_PREDICTIONS = 1000;
/** Bytes of a tuple without its texts and numbers: fields, lengths, how many there are, heads of arrays. */
const FIXED_BYTES = 2 + 4 * 10 + 4 + 9 * 28;

const LENGTH_BYTES = 4;
/** Of a real as an element of an array, with its length. */
const REAL_BYTES = 8;

/** What was answered for rows of numbers, of one call or of several as one. */
export type BlockCall = Keyed<FinishedCall> & { readonly rows: NumberRows; readonly answer: Answer };

/** What is kept of a call as blocks, where that is how. One row that nothing is like is found by its key at once as a tuple, and is not listed. */
export function blockOf({ call, keys, eventTimes }: Keyed<FinishedCall>): BlockCall | undefined {
  const { rows, answered: answer, each } = call;
  const areSeveral = each !== undefined || rows.length > 1;
  return areSeveral && rows instanceof NumberRows && answer !== undefined
    ? { call, keys, eventTimes, rows, answer }
    : undefined;
}

/** Calls as tuples of binary COPY, a block for up to 1000 predictions. */
export function encodeBlocks(calls: readonly BlockCall[]): EncodedCalls {
  const writer = new FieldWriter(calls.reduce((sum, call) => sum + mostBytesOf(call), 0));
  const ends = calls.map((block) => {
    for (let from = 0; from < block.rows.length; from += MOST_PREDICTIONS)
      writeBlock(writer, block, from, Math.min(from + MOST_PREDICTIONS, block.rows.length));
    return writer.length;
  });
  return { bytes: writer.written(), ends };
}

function mostBytesOf({ call, keys, eventTimes, rows, answer }: BlockCall): number {
  const blocks = Math.ceil(rows.length / MOST_PREDICTIONS);
  const reals = rows.areReals ? rows.width : 0;
  const numbers =
    rows.width -
    reals +
    2 +
    answer.signature.classLabels.length +
    (call.each === undefined ? 0 : 2) +
    (eventTimes === null ? 0 : 1);
  // What is reserved for them counts until they are written, and makes the collector come sooner.
  return (
    blocks * (FIXED_BYTES + mostBytesOfFields(call)) +
    rows.length * (REAL_BYTES * reals + bytesOfNumbers(numbers)) +
    mostBytesOfKeys(keys)
  );
}

function writeBlock(
  writer: FieldWriter,
  { call, keys, eventTimes, rows, answer }: BlockCall,
  from: number,
  to: number,
): void {
  writer.beginTuple(FIELDS);
  writeCallFields(writer, call);
  writer.int4Field(to - from);
  writeInputs(writer, call.request.inputs ? rows : undefined, from, to);
  writePredictions(writer, answer, from, to);
  writeTimes(writer, call, from, to);
  writeKeys(writer, keys.slice(from, to));
  writeEventTimes(writer, eventTimes?.subarray(from, to) ?? null);
}

function writeInputs(writer: FieldWriter, rows: NumberRows | undefined, from: number, to: number): void {
  const kept = rows !== undefined && bytesOfNumbers(rows.width) <= MOST_INPUT_BYTES ? rows : undefined;
  if (kept === undefined || kept.areReals) writer.null();
  else writeFeatures(writer, kept, from, to);
  if (kept?.areReals === true) writeReals(writer, kept, from, to);
  else writer.null();
}

function writeFeatures(writer: FieldWriter, rows: NumberRows, from: number, to: number): void {
  const field = writer.beginArray('float8', to - from, rows.width);
  for (let row = from; row < to; row += 1) {
    for (let index = 0; index < rows.width; index += 1) {
      const value = rows.written(row, index);
      if (value === null) writer.null();
      else writer.float8(value);
    }
  }
  writer.endField(field);
}

function writeReals(writer: FieldWriter, rows: NumberRows, from: number, to: number): void {
  const field = writer.beginArray('float4', to - from, rows.width);
  for (let row = from; row < to; row += 1) {
    for (let index = 0; index < rows.width; index += 1) {
      const value = rows.get(row, index);
      if (value === null) writer.null();
      else writer.float4(value);
    }
  }
  writer.endField(field);
}

function writePredictions(writer: FieldWriter, { signature, parts }: Answer, from: number, to: number): void {
  const some = partsBetween(parts, from, to);
  const scores = writer.beginArray('float8', to - from);
  for (const part of some) writeScores(writer, part);
  writer.endField(scores);
  if (some.some(({ predictions: { label } }) => label === null)) writer.null();
  else {
    const labels = writer.beginArray('int4', to - from);
    for (const part of some) writeLabels(writer, part);
    writer.endField(labels);
  }
  if (some.some(({ predictions: { probabilities } }) => probabilities === null)) return writer.null();
  const classes = signature.classLabels.length;
  const field = writer.beginArray('float8', to - from, classes);
  for (const part of some) writeProbabilities(writer, part, classes);
  writer.endField(field);
}

/** Of several calls, how long each took, and how much later it was asked. */
function writeTimes(writer: FieldWriter, { each }: FinishedCall, from: number, to: number): void {
  if (each === undefined) {
    writer.null();
    return writer.null();
  }
  const durations = writer.beginArray('float4', to - from);
  for (const ms of each.elapsedMs.subarray(from, to)) writer.float4(ms);
  writer.endField(durations);
  const later = writer.beginArray('int4', to - from);
  for (const ms of each.laterMs.subarray(from, to)) writer.int4Field(ms);
  writer.endField(later);
}

function mostBytesOfKeys(keys: BlockCall['keys']): number {
  const width = widthOf(keys);
  const texts = keys.reduce((sum, key) => (key ?? []).reduce((more, part) => more + bytesOf(part), sum), 0);
  return LENGTH_BYTES * width * keys.length + texts;
}

/** Of how many columns a key is; 0 where there is none. */
function widthOf(keys: BlockCall['keys']): number {
  return keys.find((key) => key !== null)?.length ?? 0;
}

function writeKeys(writer: FieldWriter, keys: BlockCall['keys']): void {
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

function writeEventTimes(writer: FieldWriter, times: BlockCall['eventTimes']): void {
  if (times === null || times.every(Number.isNaN)) return writer.null();
  const field = writer.beginArray('timestamptz', times.length);
  for (const time of times) {
    if (Number.isNaN(time)) writer.null();
    else writer.int8Field(time);
  }
  writer.endField(field);
}

/** What parts say of the rows of a call from `from` to `to`, end excluded. */
function partsBetween(parts: readonly Part[], from: number, to: number): Part[] {
  let first = 0;
  return parts.flatMap(({ predictions, from: at, rows }) => {
    const begin = Math.max(from, first);
    const end = Math.min(to, first + rows);
    const part = { predictions, from: at + begin - first, rows: end - begin };
    first += rows;
    return part.rows > 0 ? [part] : [];
  });
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
    const place = label?.[at] ?? -1;
    if (place < 0) writer.null();
    else writer.int4Field(place + 1);
  }
}

function writeProbabilities(writer: FieldWriter, { predictions, from, rows }: Part, classes: number): void {
  const { probabilities } = predictions;
  for (let at = from * classes; at < (from + rows) * classes; at += 1) writer.float8(probabilities?.[at] ?? Number.NaN);
}
