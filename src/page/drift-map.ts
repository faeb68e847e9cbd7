import { number, text, type Row } from './api.ts';

const MOST_DAYS = 60;
/** Up to these multiples of what chance alone would give. */
const NOISE_STEPS = [1, 2, 4, 8, 16];
/** Where nobody knows what chance would give: the usual words for a population stability index. */
const PSI_STEPS = [0.1, 0.2, 0.35, 0.5, 1];

export type DriftMap = {
  readonly days: readonly string[];
  /** The most drifted first. */
  readonly features: readonly string[];
  readonly at: (feature: string, day: string) => Row | undefined;
};

/** Features by days, from rows of both. */
export function driftMap(rows: readonly Row[]): DriftMap {
  const days = [...new Set(rows.map((row) => text(row, 'window_date')))].toSorted().slice(-MOST_DAYS);
  const cells = new Map(rows.map((row) => [keyOf(text(row, 'feature_name'), text(row, 'window_date')), row]));
  const at = (feature: string, date: string): Row | undefined => cells.get(keyOf(feature, date));
  const weight = (feature: string): number =>
    days.reduce((sum, date) => sum + Math.max(0, levelOf(at(feature, date))), 0);
  const names = [...new Set(rows.map((row) => text(row, 'feature_name')))];
  const features = names.toSorted((one, other) => weight(other) - weight(one) || (one < other ? -1 : 1));
  return { days, features, at };
}

/** 0 is what chance gives, 5 the most; -1 where too little is known. */
export function levelOf(row: Row | undefined): number {
  const psi = number(row, 'psi');
  if (row === undefined || psi === null || row['status'] === 'insufficient_data') return -1;
  const noise = number(row, 'psi_noise_limit');
  const [measure, steps] = noise === null || noise === 0 ? [psi, PSI_STEPS] : [psi / noise, NOISE_STEPS];
  const step = steps.findIndex((limit) => measure <= limit);
  return step === -1 ? steps.length : step;
}

function keyOf(feature: string, date: string): string {
  return JSON.stringify([feature, date]);
}
