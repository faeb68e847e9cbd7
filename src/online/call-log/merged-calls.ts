import { groupedBy } from '../../lib/grouped-by.ts';
import { NumberRows } from '../../inference/number-rows.ts';
import { emptyPredictions, type Predictions } from '../../inference/predictions.ts';
import type { Signature } from '../../inference/signature.ts';
import type { Answer } from '../requests/answer.ts';
import { bytesOfNumbers, MOST_INPUT_BYTES } from './call-fields.ts';
import type { Call } from '../requests/call.ts';
import type { EventTimes } from './event-time.ts';
import type { Keyed } from './keyed.ts';
import type { SettledCall } from './finished-call.ts';

/** Of more rows of numbers, a call is better kept by itself. */
const FEW_ROWS = 64;
/** Within so many microseconds calls are taken for asked at once, so that who looks for those of a time finds whole blocks. */
const MOST_APART_US = 10_000;
const MICROSECONDS_A_MS = 1000;

export type MergedCalls = SettledCall & { readonly rows: NumberRows; readonly answered: Answer };

/**
 * Calls of few rows that can be kept as if they were one, and all others. Such are alike in all that is known of a call but
 * when they were asked, how long they took and what they are about, and their rows are nothing but numbers.
 */
export function merged(calls: readonly Keyed<Call>[]): {
  readonly together: Keyed<MergedCalls>[];
  readonly apart: Keyed<Call>[];
} {
  const groups = groupedBy(calls, ({ call }) => (isPlain(call) ? likenessOf(call) : null));
  const apart = [...(groups.get(null) ?? [])];
  const together: Keyed<MergedCalls>[] = [];
  for (const [likeness, group] of groups) {
    if (likeness === null) continue;
    if (group.length === 1) apart.push(...group);
    else together.push(joinedCall(group));
  }
  return { together, apart };
}

function isPlain({ answered, rows }: Call): boolean {
  if (answered === undefined || !(rows instanceof NumberRows)) return false;
  return rows.length <= FEW_ROWS && !rows.haveReals && bytesOfNumbers(rows.width) <= MOST_INPUT_BYTES;
}

/** No name of a role has a zero byte in it. */
function likenessOf({ request: { versionId, role, id, inputs }, instant }: Call): string {
  const said = id === null ? '' : `\0${id}`;
  return `${versionId} ${inputs} ${Math.floor(instant / MOST_APART_US)} ${role}${said}`;
}

function joinedCall(group: readonly Keyed<Call>[]): Keyed<MergedCalls> {
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

function asOne(calls: readonly Call[]): MergedCalls {
  const [first] = calls;
  if (first?.answered === undefined) throw new Error('a call without an answer is kept by itself');
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
  return {
    request,
    rows: NumberRows.joined(calls.flatMap(({ rows }) => (rows instanceof NumberRows ? [rows] : []))),
    answered: { signature, parts: [{ predictions, from: 0, rows: length }] },
    instant,
    elapsedMs: elapsedMs.reduce((most, ms) => Math.max(most, ms)),
    each: { calls: calls.length, elapsedMs, laterMs },
  };
}

function joined(calls: readonly Call[], signature: Signature, length: number): Predictions {
  const all = emptyPredictions(signature, length, new Map());
  const classes = signature.classLabels.length;
  let row = 0;
  for (const { predictions, from, rows } of calls.flatMap(({ answered }) => answered?.parts ?? [])) {
    const { score, label, probabilities } = predictions;
    all.score.set(score.subarray(from, from + rows), row);
    if (label !== null) all.label?.set(label.subarray(from, from + rows), row);
    if (probabilities !== null)
      all.probabilities?.set(probabilities.subarray(from * classes, (from + rows) * classes), row * classes);
    row += rows;
  }
  return all;
}
