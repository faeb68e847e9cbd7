import { makeData, Float32, Float64, type Data, type RecordBatch } from 'apache-arrow';
import { recordBatch } from '../../inference/record-batch.ts';
import { groupedBy } from '../../lib/grouped-by.ts';
import { batchOfRows, type JsonRow } from '../../inference/json-rows.ts';
import { NumberRows } from '../../inference/number-rows.ts';
import { type Feature, watchedFeatures } from '../../inference/signature.ts';
import { timeOf, type EventTimes } from './event-time.ts';
import type { FinishedCall, KeyedCall } from './logged-call.ts';

/** The features that rows of one version were scored by, those that are watched, as columns; and what time each row is for. */
export type CallFeatures = {
  readonly versionId: number;
  readonly batch: RecordBatch;
  /** In microseconds since 2000. */
  readonly times: readonly number[];
};

/** Rows of numbers that are not columns yet. */
type WatchedNumbers = {
  readonly versionId: number;
  readonly features: readonly Feature[];
  readonly rows: NumberRows;
  readonly instant: number;
  readonly eventTimes: EventTimes;
};

/** So many rows become columns at once: of reals these take half the memory. */
const MANY_ROWS = 1000;

/** Features that are to be counted. Few rows of numbers become columns only when they are logged, with those of other calls: columns of few rows make as much garbage as of many. */
export type WatchedFeatures = {
  readonly columns: readonly CallFeatures[];
  readonly numbers: readonly WatchedNumbers[];
};

/** The features of calls that were answered. */
export function watchedOf(calls: readonly KeyedCall[], isWatched: (versionId: number) => boolean): WatchedFeatures {
  const numbers: WatchedNumbers[] = [];
  const others: KeyedCall[] = [];
  for (const keyed of calls) {
    const { answered, rows, instant, request } = keyed.call;
    const { eventTimes } = keyed;
    if (answered === undefined || !isWatched(request.versionId)) continue;
    const { versionId } = request;
    const { features } = answered.signature;
    if (rows instanceof NumberRows) numbers.push({ versionId, features, rows, instant, eventTimes });
    else others.push(keyed);
  }
  const columns = [...groupedBy(others, ({ call }) => call.request.versionId)].map(([versionId, some]) => ({
    versionId,
    batch: columnsOf(
      some[0]?.call.answered?.signature.features ?? [],
      some.flatMap(({ call: { rows } }) => (rows instanceof NumberRows ? [] : rows)),
    ),
    times: some.flatMap(({ call: { rows, instant }, eventTimes }) => timesOf({ rows, instant, eventTimes })),
  }));
  const areMany = numbers.reduce((sum, { rows }) => sum + rows.length, 0) >= MANY_ROWS;
  return areMany ? { columns: [...columns, ...asColumns(numbers)], numbers: [] } : { columns, numbers };
}

/** All of them as columns, some elements a version. */
export function featuresOf(watched: readonly WatchedFeatures[]): CallFeatures[] {
  return [...watched.flatMap(({ columns }) => columns), ...asColumns(watched.flatMap(({ numbers }) => numbers))];
}

function asColumns(numbers: readonly WatchedNumbers[]): CallFeatures[] {
  return [...groupedBy(numbers, ({ versionId }) => versionId)].map(([versionId, some]) => ({
    versionId,
    batch: numberColumnsOf(
      some[0]?.features ?? [],
      some.map(({ rows }) => rows),
    ),
    times: some.flatMap(timesOf),
  }));
}

function timesOf({
  rows,
  instant,
  eventTimes,
}: Omit<WatchedNumbers, 'versionId' | 'features' | 'rows'> & Pick<FinishedCall, 'rows'>): number[] {
  return Array.from({ length: rows.length }, (_, row) => timeOf(instant, eventTimes, row));
}

function columnsOf(features: readonly Feature[], rows: readonly JsonRow[]): RecordBatch {
  const watched = watchedFeatures(features).flatMap(({ feature }) => features[feature - 1] ?? []);
  return batchOfRows(watched, rows).batch;
}

function numberColumnsOf(features: readonly Feature[], several: readonly NumberRows[]): RecordBatch {
  const length = several.reduce((sum, rows) => sum + rows.length, 0);
  const positions = new Map(features.map(({ name }, index) => [name, index]));
  const names = watchedFeatures(features).map(({ name }) => name);
  const all = numbersFor(several, names.length * length);
  const columns = names.map((name, index) => {
    const data = all.subarray(index * length, (index + 1) * length);
    return numberColumn(several, positions.get(name) ?? 0, data);
  });
  return recordBatch(names, columns, length);
}

/** One array for all columns: to make arrays and to take them down takes the more time the more there are, and the larger they are. */
function numbersFor(several: readonly NumberRows[], length: number): Float64Array | Float32Array {
  return several.every(({ areReals }) => areReals) ? new Float32Array(length) : new Float64Array(length);
}

/** A number that is missing is NaN, which the monitor takes for the same. */
function numberColumn(several: readonly NumberRows[], position: number, data: Float64Array | Float32Array): Data {
  let at = 0;
  for (const rows of several) {
    for (let row = 0; row < rows.length; row += 1, at += 1) data[at] = rows.get(row, position) ?? Number.NaN;
  }
  const type = data instanceof Float32Array ? new Float32() : new Float64();
  return makeData({ type, length: data.length, nullCount: 0, data });
}
