import { number, type Row } from './api.ts';
import { svg } from './dom.ts';
import { isFirm } from './trend.ts';

const WIDTH = 200;
const HEIGHT = 56;
const EDGE = 4;

/** A small line of a metric over its months with its interval; dashed where labels are few or still arriving. */
export function sparkline(rows: readonly Row[], label: string): SVGElement {
  const known = rows.filter((row) => number(row, 'value') !== null);
  const firm = known.filter(isFirm);
  const values = (firm.length > 0 ? firm : known).map((row) => number(row, 'value') ?? 0);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const x = (at: number): string => (known.length < 2 ? WIDTH / 2 : (at / (known.length - 1)) * WIDTH).toFixed(1);
  const y = (value: number | null): string => {
    const share = most === least ? 0.5 : ((value ?? least) - least) / (most - least);
    return (EDGE + (1 - Math.min(1, Math.max(0, share))) * (HEIGHT - 2 * EDGE)).toFixed(1);
  };
  const along = (column: string): string[] =>
    known.map((row, at) => `${x(at)},${y(number(row, column) ?? number(row, 'value'))}`);
  const solid = known.findLastIndex(isFirm) + 1;
  const line = along('value');
  const attributes = {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    class: 'spark',
    role: 'img',
    'aria-label': label,
  };
  return svg(
    'svg',
    attributes,
    svg('polygon', { class: 'band', points: [...along('ci_high'), ...along('ci_low').toReversed()].join(' ') }),
    svg('polyline', { class: 'line', points: line.slice(0, solid).join(' ') }),
    svg('polyline', { class: 'line unripe', points: line.slice(Math.max(0, solid - 1)).join(' ') }),
  );
}
