import { number, text, type Row } from './api.ts';
import type { Address, Grain } from './address.ts';
import { day } from './format.ts';

const MOST_WINDOWS = 60;
/** From here on a warning, and an alert, have the deeper of their two colours. */
export const DEEP = { warning: 0.175, alert: 0.5 };

export type DriftMap = {
  /** First days of the windows. */
  readonly days: readonly string[];
  /** The most drifted first. */
  readonly features: readonly string[];
  readonly at: (feature: string, day: string) => Row | undefined;
};

/** Features by windows, from rows of both. */
export function driftMap(rows: readonly Row[]): DriftMap {
  const days = [...new Set(rows.map((row) => text(row, 'window_date')))].toSorted().slice(-MOST_WINDOWS);
  const cells = new Map(rows.map((row) => [keyOf(text(row, 'feature_name'), text(row, 'window_date')), row]));
  const at = (feature: string, date: string): Row | undefined => cells.get(keyOf(feature, date));
  const weight = (feature: string): number =>
    days.reduce((sum, date) => sum + Math.max(0, levelOf(at(feature, date))), 0);
  const names = [...new Set(rows.map((row) => text(row, 'feature_name')))];
  const features = names.toSorted((one, other) => weight(other) - weight(one) || (one < other ? -1 : 1));
  return { days, features, at };
}

/**
 * How far a feature is off: 0 is what chance gives, 1 more than that and still not much, 2 and 3 a warning, 4 and 5 an
 * alert, as the view says; -1 where too little is known.
 */
export function levelOf(row: Row | undefined): number {
  const psi = number(row, 'psi');
  if (row === undefined || psi === null) return -1;
  if (row['status'] === 'warning') return psi < DEEP.warning ? 2 : 3;
  if (row['status'] === 'alert') return psi < DEEP.alert ? 4 : 5;
  if (row['status'] !== 'ok') return -1;
  return psi <= (number(row, 'psi_noise_limit') ?? 0) ? 0 : 1;
}

/** The cell that is looked at: the one of the address, else the newest that can be told of the most drifted feature. */
export function chosenCell(
  { days, features, at }: DriftMap,
  address: Address,
): { readonly feature: string; readonly day: string } | undefined {
  const feature = features.find((name) => name === address.feature) ?? features[0];
  if (feature === undefined) return undefined;
  const told = days.findLast((date) => levelOf(at(feature, date)) >= 0);
  const date = days.find((one) => one === address.day) ?? told ?? days.at(-1);
  return date === undefined ? undefined : { feature, day: date };
}

export function windowName(grain: Grain, date: string): string {
  return grain === 'week' ? `week of ${day(date)}` : day(date, grain === 'month');
}

function keyOf(feature: string, date: string): string {
  return JSON.stringify([feature, date]);
}
