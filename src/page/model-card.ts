import { number, text, type Row } from './api.ts';
import { modelLink } from './address.ts';
import { el, svg } from './dom.ts';
import { ago, count, day, NOTHING, percent } from './format.ts';
import { metricOf, readingOf, taskOf, write, type Metric, isImmature } from './model-metrics.ts';
import { furtherCauses, verdictChip } from './verdict.ts';

export type JudgedModel = {
  readonly verdict: Row;
  /** Of the version that the verdict is about. */
  readonly health: Row;
  readonly versions: number;
  /** Month by month, the oldest first. */
  readonly trend: readonly Row[];
};

/** Whether a model needs somebody, and why, in a card. */
export function modelCard({ verdict, health, versions, trend }: JudgedModel): HTMLElement {
  const name = text(verdict, 'model_name');
  const task = taskOf(text(verdict, 'task'));
  const metric = task === undefined ? undefined : metricOf(task, undefined);
  const ends = [trend.at(0), trend.at(-1)].map((row) => day(text(row, 'window_date'), true));
  return el(
    'article',
    { class: 'card model', 'data-verdict': text(verdict, 'verdict') },
    el(
      'div',
      { class: 'model-head' },
      el('h2', {}, el('a', { href: modelLink(name) }, name)),
      verdictChip(text(verdict, 'verdict')),
    ),
    el('p', {}, text(verdict, 'sentence')),
    metric !== undefined && headline(verdict, metric),
    metric !== undefined &&
      trend.filter((row) => number(row, 'value') !== null).length > 1 &&
      sparkline(trend, `${titleOf(verdict, metric)} from ${ends.join(' to ')}, ${readingOf(metric)}`),
    facts(verdict, health, versions),
  );
}

/** The metric of the newest month that can be judged; nothing where there is none, as the sentence says why. */
function headline(verdict: Row, metric: Metric): HTMLElement | undefined {
  const written = (column: string): string => write(metric, number(verdict, column));
  if (number(verdict, 'value') === null) return undefined;
  const before = number(verdict, 'reference_value') === null ? '' : `, before ${written('reference_value')}`;
  return el(
    'div',
    {},
    el(
      'p',
      { class: 'model-value' },
      el('span', { class: 'big num' }, written('value')),
      el('span', {}, `${titleOf(verdict, metric)}, ${readingOf(metric)}`),
    ),
    el(
      'p',
      { class: 'quiet' },
      `${day(text(verdict, 'latest_window'), true)}: ${written('ci_low')} to ${written('ci_high')} with 95 %${before}`,
    ),
  );
}

/** With the target that the verdict is about, of a model of several. */
function titleOf(verdict: Row, { title }: Metric): string {
  const target = text(verdict, 'target');
  return target === '' ? title : `${title} of ${target}`;
}

function facts(verdict: Row, health: Row, versions: number): HTMLElement {
  const champion = verdict['is_champion'] === true ? ' (champion)' : '';
  const lines: [string, string | Node][] = [
    ...furtherCauses(verdict),
    ['Alerts', alertsOf(number(verdict, 'open_alerts'))],
    ['Version', `${text(verdict, 'model_version')}${champion} of ${versions}`],
    ['Predictions', count(number(health, 'n_predictions'))],
    ['Truth known where due', percent(number(verdict, 'label_coverage'))],
    ['Last scored', ago(text(health, 'last_scored_at') || null)],
  ];
  const shown = lines.filter(([, value]) => value !== NOTHING);
  return el('dl', { class: 'facts' }, ...shown.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

function alertsOf(open: number | null): string | Node {
  if (open === null) return NOTHING;
  return open === 0 ? 'none' : el('span', { class: 'chip bad' }, String(open));
}

const WIDTH = 200;
const HEIGHT = 56;
const EDGE = 4;

/** A small line of a metric over its months with its interval; dashed where labels are few or still arriving. */
function sparkline(rows: readonly Row[], label: string): SVGElement {
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
    svg('polyline', { class: 'line immature', points: line.slice(Math.max(0, solid - 1)).join(' ') }),
  );
}

/** Whether a month says something: its labels are there, and not too few. */
function isFirm(row: Row): boolean {
  return !isImmature(row) && number(row, 'value') !== null;
}
