import { NumberRows } from '../../inference/number-rows.ts';
import { emptyPredictions, numbersOf, type Predictions } from '../../inference/predictions.ts';
import type { Signature } from '../../inference/signature.ts';
import { groupedBy } from '../../lib/grouped-by.ts';
import { areStored, MOST_PREDICTIONS } from './encode-blocks.ts';
import type { EventTimes } from './event-time.ts';
import type { FinishedCall, KeyedCall } from './logged-call.ts';

/** Of more rows of numbers, a call is better logged by itself. */
const FEW_ROWS = 64;
/** Within so many microseconds calls are taken for asked at once, so that who looks for those of a time finds whole blocks. */
const MOST_APART_US = 10_000;
const MICROSECONDS_A_MS = 1000;

/**
 * Joins calls of few rows of numbers, which are then logged as one block. They may differ only in when they were asked, how long they
 * took and which entity they are about.
 */
export function joinAlike(calls: readonly KeyedCall[]): KeyedCall[] {
  const groups = groupedBy(calls, ({ call }) => (isPlain(call) ? alikeBy(call) : null));
  return [...groups].flatMap(([alike, group]): readonly KeyedCall[] =>
    alike === null
      ? group
      : inParts(group, MOST_PREDICTIONS, ({ call }) => call.rows.length).map((part) => joinedCall(part)),
  );
}

function isPlain({ answered, rows }: FinishedCall): boolean {
  if (answered === undefined || !(rows instanceof NumberRows)) return false;
  return rows.length <= FEW_ROWS && !rows.haveReals && areStored(rows.width);
}

/** No name of a role has a zero byte in it. */
function alikeBy({ request: { versionId, role, id, inputs }, instant }: FinishedCall): string {
  const said = id === null ? '' : `\0${id}`;
  return `${versionId} ${inputs} ${Math.floor(instant / MOST_APART_US)} ${role}${said}`;
}

function joinedCall(group: readonly KeyedCall[]): KeyedCall {
  const [first] = group;
  if (first !== undefined && group.length === 1) return first;
  const call = asOneCall(group.map((each) => each.call));
  return { call, keys: group.flatMap(({ keys }) => keys), eventTimes: joinedTimes(group, call.rows.length) };
}

function joinedTimes(group: readonly KeyedCall[], length: number): EventTimes {
  if (group.every(({ eventTimes }) => eventTimes === null)) return null;
  const all = new Float64Array(length).fill(Number.NaN);
  let row = 0;
  for (const { call, eventTimes } of group) {
    if (eventTimes !== null) all.set(eventTimes, row);
    row += call.rows.length;
  }
  return all;
}

function asOneCall(calls: readonly FinishedCall[]): FinishedCall {
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
  const predictions = joinedPredictions(calls, signature, length);
  const answer = { signature, parts: [{ predictions, from: 0, rows: length }] };
  return {
    request,
    rows: NumberRows.joined(calls.flatMap(({ rows }) => (rows instanceof NumberRows ? [rows] : []))),
    outcome: answer,
    answered: answer,
    instant,
    elapsedMs: elapsedMs.reduce((most, ms) => Math.max(most, ms)),
    joined: { calls: calls.length, elapsedMs, laterMs },
  };
}

function joinedPredictions(calls: readonly FinishedCall[], signature: Signature, length: number): Predictions {
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
