import { number, text, type Row } from './api.ts';
import { ENOUGH, METRICS, type Metric, type Task } from './metrics.ts';

/** How a segment differs from all predictions. */
export type Gap = {
  readonly key: string;
  readonly value: string;
  readonly labelled: number;
  readonly metric: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly gap: number | null;
  /** How much worse it is at least, by the nearer end of its interval; below 0, how much better; 0 where that leaves it open, or labels are few. */
  readonly surely: number;
};

/** The metric that is asked for, if rows have it with its interval, else the first that they have. */
export function metricBySegment(task: Task, rows: readonly Row[], asked: string | undefined): Metric | undefined {
  const bounded = METRICS[task].filter(({ low }) => low !== undefined && rows.some((row) => low in row));
  return bounded.find(({ column }) => column === asked) ?? bounded[0];
}

/**
 * Segments by how much worse they surely are than all, so that a few labels do not lead: by the end of the 95 % interval
 * that is nearer to it. Where that says nothing, by number of labels.
 */
export function gapsOf(rows: readonly Row[], metric: Metric): Gap[] {
  const all = number(
    rows.find((row) => row['segment_key'] === null),
    metric.column,
  );
  return rows
    .filter((row) => row['segment_key'] !== null)
    .map((row) => gapOf(row, metric, all))
    .toSorted((a, b) => b.surely - a.surely || b.labelled - a.labelled);
}

function gapOf(row: Row, { column, low, high, better }: Metric, all: number | null): Gap {
  const value = number(row, column);
  const [from, to] = [number(row, low ?? ''), number(row, high ?? '')];
  const labelled = number(row, 'n_labeled') ?? 0;
  const sign = better === 'higher' ? 1 : -1;
  return {
    key: text(row, 'segment_key'),
    value: text(row, 'segment_value'),
    labelled,
    metric: value,
    low: from,
    high: to,
    gap: value === null || all === null ? null : value - all,
    surely: all === null || labelled < ENOUGH ? 0 : sign * beyond(all, from, to),
  };
}

/** How far a value lies above an interval; below 0, how far below it. */
function beyond(value: number, low: number | null, high: number | null): number {
  if (low === null || high === null) return 0;
  if (value > high) return value - high;
  return value < low ? value - low : 0;
}
