import type { Client } from 'pg';
import type { Judged } from './judge.ts';
import { type Grain, windowOf } from './local-windows.ts';
import { groupedBy, type Settings } from './record.ts';
import type { Watched } from './watched.ts';

export type Labeled = Extract<Judged, { state: 'labeled' }>;
export type Numbers = Readonly<Record<string, number | null>>;
export type Row = Readonly<Record<string, unknown>>;

export const SEGMENTLESS = 'segment_key is null';

export function isLabeled(judged: Judged): judged is Labeled {
  return judged.state === 'labeled';
}

/** Judged predictions by version and first day of their window. */
export function byWindow<Some extends Judged>(
  judged: readonly Some[],
  grain: Grain,
  { timeZone }: Settings,
): Map<string, Some[]> {
  return groupedBy(judged, ({ prediction }) => `${prediction.version} ${windowOf(prediction.at, grain, timeZone)}`);
}

export async function rowsOf(
  analyst: Client,
  view: string,
  model: Watched,
  condition = 'true',
): Promise<Map<string, Row[]>> {
  const read = `select *, window_date::text as first_day from pgscore_bi.${view} where model_name = $1 and ${condition}`;
  const { rows } = await analyst.query<Row>(read, [model.name]);
  return groupedBy(rows, (row) => `${String(row['model_version'])} ${String(row['first_day'])}`);
}

/** Each number of `wanted` that a row has not. */
export function unlike(where: string, row: Row | undefined, wanted: Numbers): string[] {
  if (row === undefined) return [`${where}: no row`];
  return Object.entries(wanted).flatMap(([name, value]) => {
    const found = row[name] === null || row[name] === undefined ? null : Number(row[name]);
    const isSame =
      value === null || found === null
        ? value === found
        : Math.abs(found - value) <= 1e-9 * Math.max(1, Math.abs(value));
    return isSame ? [] : [`${where} ${name}: ${found}, not ${value}`];
  });
}

export function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

export function sumOf(labeled: readonly Labeled[], of: (each: Labeled) => number): number {
  return labeled.reduce((total, each) => total + of(each), 0);
}

export const isPositive = ({ truth }: Labeled): boolean => truth === 'yes';
export const saidPositive = ({ prediction }: Labeled): boolean => prediction.label === 'yes';
