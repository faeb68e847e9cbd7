import { number, type Row } from './api.ts';
import { ENOUGH } from './metrics.ts';

/** Whether a month says something: its labels are there, and not too few. */
export function isFirm(row: Row): boolean {
  return row['is_mature'] === true && (number(row, 'n_labeled') ?? 0) >= ENOUGH && number(row, 'value') !== null;
}
