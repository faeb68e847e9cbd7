import { number, type Row } from './api.ts';
import { ENOUGH } from './metrics.ts';

/** Whether a month says something: its labels are there, and not too few. */
export function isFirm(row: Row): boolean {
  return row['is_mature'] === true && (number(row, 'n_labeled') ?? 0) >= ENOUGH && number(row, 'value') !== null;
}

export type Standing = { readonly now: Row; readonly before: Row | undefined; readonly best: Row; readonly worst: Row };

/** Where a model stands: its newest firm month, the one before, and its best and worst. undefined: no month says anything. */
export function standingOf(trend: readonly Row[], lowerIsBetter: boolean): Standing | undefined {
  const firm = trend.filter(isFirm);
  const now = firm.at(-1);
  const value = (row: Row): number => number(row, 'value') ?? 0;
  const [least, most] = [
    firm.toSorted((one, other) => value(one) - value(other)).at(0),
    firm.toSorted((one, other) => value(other) - value(one)).at(0),
  ];
  if (now === undefined || least === undefined || most === undefined) return undefined;
  return { now, before: firm.at(-2), best: lowerIsBetter ? least : most, worst: lowerIsBetter ? most : least };
}
