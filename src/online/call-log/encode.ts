import { featuresOf, watchedOf, type CallFeatures, type WatchedFeatures } from './call-features.ts';
import { EventTimeReader, type EventTimes } from './event-time.ts';
import { keysOf, type CountedCall, type FinishedCall, type Keyed } from './logged-call.ts';
import type { Call } from '../requests/call.ts';
import { areStored, encodeBlocks, MOST_PREDICTIONS, type EncodedCalls } from './encode-blocks.ts';
import type { WatchedVersion, WatchedVersions } from './watched-versions.ts';
import type { PipelinedStatement } from '../../postgres/pipeline.ts';
import { groupedBy } from '../../lib/grouped-by.ts';
import { NumberRows } from '../../inference/number-rows.ts';
import { emptyPredictions, numbersOf, type Predictions } from '../../inference/predictions.ts';
import type { Signature } from '../../inference/signature.ts';

/** Calls as they are written, and what is to be counted of them. */
export type EncodedBatch = {
  readonly blocks: readonly Buffer[];
  readonly calls: readonly CountedCall[];
  readonly features: readonly CallFeatures[];
  /** What else is to be done in the same transaction. */
  readonly also?: readonly PipelinedStatement[];
};

/** Calls that were encoded together. */
export type Encoded = EncodedCalls & {
  readonly rows: number;
  readonly calls: readonly CountedCall[];
  readonly features: WatchedFeatures;
};

/** One of them. */
export type EncodedCall = { readonly bytes: Buffer; readonly call: CountedCall };

type Known = Pick<WatchedVersions, 'get'>;

const readers = new Map<string, EventTimeReader>();

export function encoded(calls: readonly Call[], rows: number, versions: Known): Encoded {
  return encodedCalls(merged(calls.map((call) => keyedCall(call, versions))), rows, versions);
}

/** Calls whose entities are known. `rows`: how many wait to be written. */
export function encodedCalls(calls: readonly Keyed<FinishedCall>[], rows: number, versions: Known): Encoded {
  return {
    rows,
    ...encodeBlocks(calls),
    calls: calls.map(countedCall),
    features: watchedOf(calls, (versionId) => versions.get(versionId)?.featuresWatched ?? false),
  };
}

function keyedCall(call: Call, versions: Known): Keyed<Call> {
  const version = versions.get(call.request.versionId);
  if (version === undefined || call.answered === undefined) return { call, keys: [], eventTimes: null };
  const keys = version.keys.length > 0 ? keysOf(call.request, version.keys) : [];
  return { call, keys, eventTimes: eventTimesOf(call, version) };
}

function eventTimesOf({ request }: Call, { eventTime, timeZone }: WatchedVersion): EventTimes {
  if (eventTime === null) return null;
  const reader = readers.get(timeZone) ?? new EventTimeReader(timeZone);
  readers.set(timeZone, reader);
  return reader.timesOf(request, eventTime);
}

/** Its rows would wait with it. */
function countedCall({ call, eventTimes }: Keyed<FinishedCall>): CountedCall {
  const { request, instant, answered, each } = call;
  return { versionId: request.versionId, instant, answered, eventTimes, ...(each && { each }) };
}

/** In parts of at most so many rows, or of one that has more. */
export function inParts<T>(some: readonly T[], mostRows: number, rowsOf: (one: T) => number): T[][] {
  const parts: T[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const one of some) {
    rows += rowsOf(one);
    if (rows > mostRows) {
      parts.push([]);
      rows = rowsOf(one);
    }
    parts.at(-1)?.push(one);
  }
  return parts;
}

export function together(some: readonly Encoded[]): EncodedBatch {
  return {
    blocks: some.map(({ bytes }) => bytes),
    calls: some.flatMap(({ calls }) => calls),
    features: featuresOf(some.map(({ features }) => features)),
  };
}

export function callsOf({ bytes, ends, calls }: Encoded): EncodedCall[] {
  return calls.map((call, index) => ({ bytes: bytes.subarray(ends[index - 1] ?? 0, ends[index]), call }));
}

/** How many calls these are, where some are several as one. */
export function countOf(calls: readonly EncodedCall[]): number {
  return calls.reduce((sum, { call }) => sum + (call.each?.calls ?? 1), 0);
}

/** Some calls out of those that were encoded together, whose features are columns of all of them. */
export function writableCalls(calls: readonly EncodedCall[]): EncodedBatch {
  return { blocks: calls.map(({ bytes }) => bytes), calls: calls.map(({ call }) => call), features: [] };
}

/** Of more rows of numbers, a call is better logged by itself. */
const FEW_ROWS = 64;
/** Within so many microseconds calls are taken for asked at once, so that who looks for those of a time finds whole blocks. */
const MOST_APART_US = 10_000;
const MICROSECONDS_A_MS = 1000;

/**
 * Calls of few rows that can be logged as if they were one, as such, and all others. Such are alike in all that is known of a
 * call but when they were asked, how long they took and what they are about, and their rows are nothing but numbers.
 */
function merged(calls: readonly Keyed<Call>[]): Keyed<FinishedCall>[] {
  const groups = groupedBy(calls, ({ call }) => (isPlain(call) ? likenessOf(call) : null));
  return [...groups].flatMap(([likeness, group]): readonly Keyed<FinishedCall>[] =>
    likeness === null
      ? group
      : inParts(group, MOST_PREDICTIONS, ({ call }) => call.rows.length).map((part) => joinedCall(part)),
  );
}

function isPlain({ answered, rows }: Call): boolean {
  if (answered === undefined || !(rows instanceof NumberRows)) return false;
  return rows.length <= FEW_ROWS && !rows.haveReals && areStored(rows.width);
}

/** No name of a role has a zero byte in it. */
function likenessOf({ request: { versionId, role, id, inputs }, instant }: Call): string {
  const said = id === null ? '' : `\0${id}`;
  return `${versionId} ${inputs} ${Math.floor(instant / MOST_APART_US)} ${role}${said}`;
}

function joinedCall(group: readonly Keyed<Call>[]): Keyed<FinishedCall> {
  const [first] = group;
  if (first !== undefined && group.length === 1) return first;
  const call = asOne(group.map((each) => each.call));
  return { call, keys: group.flatMap(({ keys }) => keys), eventTimes: joinedTimes(group, call.rows.length) };
}

function joinedTimes(group: readonly Keyed<Call>[], length: number): EventTimes {
  if (group.every(({ eventTimes }) => eventTimes === null)) return null;
  const all = new Float64Array(length).fill(Number.NaN);
  let row = 0;
  for (const { call, eventTimes } of group) {
    if (eventTimes !== null) all.set(eventTimes, row);
    row += call.rows.length;
  }
  return all;
}

function asOne(calls: readonly Call[]): FinishedCall {
  const [first] = calls;
  if (first?.answered === undefined) throw new Error('a call without an answer is logged by itself');
  const { request, answered } = first;
  const { signature } = answered;
  const length = calls.reduce((sum, { rows }) => sum + rows.length, 0);
  const instant = calls.reduce((earliest, call) => Math.min(earliest, call.instant), Number.POSITIVE_INFINITY);
  const [elapsedMs, laterMs] = [new Float32Array(length), new Int32Array(length)];
  let row = 0;
  for (const call of calls) {
    const end = row + call.rows.length;
    elapsedMs.fill(call.elapsedMs, row, end);
    laterMs.fill((call.instant - instant) / MICROSECONDS_A_MS, row, end);
    row = end;
  }
  const predictions = joined(calls, signature, length);
  const answer = { signature, parts: [{ predictions, from: 0, rows: length }] };
  return {
    request,
    rows: NumberRows.joined(calls.flatMap(({ rows }) => (rows instanceof NumberRows ? [rows] : []))),
    outcome: answer,
    answered: answer,
    instant,
    elapsedMs: elapsedMs.reduce((most, ms) => Math.max(most, ms)),
    each: { calls: calls.length, elapsedMs, laterMs },
  };
}

function joined(calls: readonly Call[], signature: Signature, length: number): Predictions {
  const all = emptyPredictions(signature, length, new Map());
  let row = 0;
  for (const { predictions, from, rows } of calls.flatMap(({ answered }) => answered?.parts ?? [])) {
    const { score, label } = predictions;
    const { numbers, width } = numbersOf(predictions);
    all.score.set(score.subarray(from, from + rows), row);
    if (label !== null) all.label?.set(label.subarray(from, from + rows), row);
    if (numbers !== null)
      numbersOf(all).numbers?.set(numbers.subarray(from * width, (from + rows) * width), row * width);
    row += rows;
  }
  return all;
}
