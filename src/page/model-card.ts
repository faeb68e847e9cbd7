import { number, text, type Row } from './api.ts';
import { modelLink } from './address.ts';
import { el } from './dom.ts';
import { ago, count, day, NOTHING, percent } from './format.ts';
import { metricOf, readingOf, taskOf, write, type Metric } from './metrics.ts';
import { sparkline } from './sparkline.ts';
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
      sparkline(trend, `${metric.title} from ${ends.join(' to ')}, ${readingOf(metric)}`),
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
      el('span', {}, `${metric.title}, ${readingOf(metric)}`),
    ),
    el(
      'p',
      { class: 'quiet' },
      `${day(text(verdict, 'latest_window'), true)}: ${written('ci_low')} to ${written('ci_high')} with 95 %${before}`,
    ),
  );
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
