import { number, type Row } from './api.ts';
import { svg } from './dom.ts';

const WIDTH = 200;
const HEIGHT = 56;
const EDGE = 4;

/** A small line of a metric over its months with its interval, and a dashed end where labels are still arriving. */
export function sparkline(rows: readonly Row[], label: string): SVGElement {
  const known = rows.filter((row) => number(row, 'value') !== null);
  const values = known.flatMap((row) => ['ci_low', 'value', 'ci_high'].flatMap((column) => number(row, column) ?? []));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const x = (at: number): string => (known.length < 2 ? WIDTH / 2 : (at / (known.length - 1)) * WIDTH).toFixed(1);
  const y = (value: number | null): string =>
    (most === least ? HEIGHT / 2 : EDGE + (1 - ((value ?? least) - least) / (most - least)) * (HEIGHT - 2 * EDGE)).toFixed(1);
  const along = (column: string): string[] => known.map((row, at) => `${x(at)},${y(number(row, column) ?? number(row, 'value'))}`);
  const ripe = known.filter((row) => row['is_mature'] === true).length;
  const line = along('value');
  const attributes = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', class: 'spark', role: 'img', 'aria-label': label };
  return svg(
    'svg',
    attributes,
    svg('polygon', { class: 'band', points: [...along('ci_high'), ...along('ci_low').toReversed()].join(' ') }),
    svg('polyline', { class: 'line', points: line.slice(0, ripe).join(' ') }),
    svg('polyline', { class: 'line unripe', points: line.slice(Math.max(0, ripe - 1)).join(' ') }),
  );
}
