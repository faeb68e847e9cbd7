import type { Call } from './requests/call.ts';
import { WireError } from './protocol/wire-error.ts';

/** Upper bounds of buckets; one more holds all beyond. */
export const LATENCY_SECONDS = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1, 5];
export const BATCH_SIZES = [1, 2, 4, 8, 16, 64, 256, 1024];

/** Numbers of observations in each bucket, and the sum of what was observed. */
export type Histogram = { readonly buckets: number[]; sum: number };

/** What a gateway counted since it started, and what it has in hand now. */
export type GatewayStatistics = {
  calls: number;
  rows: number;
  /** By SQLSTATE. */
  readonly errors: Record<string, number>;
  readonly latency: Histogram;
  readonly batches: Histogram;
  connections: number;
  queuedCalls: number;
  queuedRows: number;
  unrecorded: number;
};

export function noStatistics(): GatewayStatistics {
  return {
    calls: 0,
    rows: 0,
    errors: {},
    latency: emptyHistogram(LATENCY_SECONDS),
    batches: emptyHistogram(BATCH_SIZES),
    connections: 0,
    queuedCalls: 0,
    queuedRows: 0,
    unrecorded: 0,
  };
}

export function countCall(statistics: GatewayStatistics, call: Call): void {
  statistics.calls += 1;
  observe(statistics.latency, LATENCY_SECONDS, call.elapsedMs / 1000);
  if (!(call.outcome instanceof WireError)) statistics.rows += call.rows.length;
}

export function countError({ errors }: GatewayStatistics, { sqlstate }: WireError): void {
  errors[sqlstate] = (errors[sqlstate] ?? 0) + 1;
}

export function countBatch({ batches }: GatewayStatistics, rows: number): void {
  observe(batches, BATCH_SIZES, rows);
}

function emptyHistogram(bounds: readonly number[]): Histogram {
  return { buckets: Array.from({ length: bounds.length + 1 }, () => 0), sum: 0 };
}

function observe(histogram: Histogram, bounds: readonly number[], value: number): void {
  const found = bounds.findIndex((bound) => value <= bound);
  const bucket = found < 0 ? bounds.length : found;
  histogram.buckets[bucket] = (histogram.buckets[bucket] ?? 0) + 1;
  histogram.sum += value;
}
