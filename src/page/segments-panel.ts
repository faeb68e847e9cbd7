import { ask, type Row } from './api.ts';
import { cardTable, numeric } from './data-table.ts';
import { el } from './dom.ts';
import { count, day, decimal, NOTHING } from './format.ts';
import { ENOUGH, write, type Metric, gapsOf, metricBySegment, type Gap } from './model-metrics.ts';
import { ofMonth, ofTarget, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';

/** Longer lists are for a query. */
const MOST_SHOWN = 100;

/** Where a model is worse than over all. Not shown of a model without segments. */
export const segmentsPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'segments',
    title: 'Segments',
    about: 'the worst first, by the nearer end of the 95 % interval; one segment in twenty differs by chance',
    depends: ({ address, focus, month, target }) => [address.metric, focus, month, target],
    load: async (context) => {
      const values = ofMonth(context);
      // Segments are compared by metrics that have an interval; of a quantile none has a better side.
      if (values === undefined || context.judged === 'quantile') return undefined;
      const rows = await ask(`segments-${context.task}`, { ...values, ...ofTarget(context) });
      return rows.some((row) => row['segment_key'] !== null) ? rows : undefined;
    },
    draw: (body, rows, { task, address, focus, month, target }) => {
      const metric = metricBySegment(task, rows, address.metric);
      if (metric === undefined) return;
      const gaps = gapsOf(rows, metric).filter(({ labelled }) => labelled > 0);
      if (gaps.length === 0) return body.say('No labels in this month.');
      body.say(
        `${metric.title}${target === undefined ? '' : ` of ${target}`} of version ${focus} in ${day(month, true)}.`,
      );
      body.add(tableOf(gaps.slice(0, MOST_SHOWN), metric));
      if (gaps.length > MOST_SHOWN) body.say(`And ${count(gaps.length - MOST_SHOWN)} more.`);
    },
  });

function tableOf(gaps: readonly Gap[], metric: Metric): HTMLElement {
  return cardTable({
    caption: 'Segments against all predictions',
    columns: [
      'Column',
      'Value',
      numeric('Labels'),
      numeric(metric.title),
      numeric('Interval'),
      numeric('Gap to all'),
      'Verdict',
    ],
    rows: gaps.map(({ key, value, labelled, metric: own, low, high, gap, worseBy }) => [
      key,
      value,
      count(labelled),
      write(metric, own),
      `${write(metric, low)} to ${write(metric, high)}`,
      difference(metric, gap),
      verdictOf(worseBy, labelled),
    ]),
  });
}

function difference({ share }: Metric, gap: number | null): string {
  if (gap === null) return NOTHING;
  const size = Math.abs(gap);
  return `${gap < 0 ? '−' : '+'}${share === true ? `${(100 * size).toFixed(1)} points` : decimal(size)}`;
}

function verdictOf(worseBy: number, labelled: number): HTMLElement {
  if (worseBy === 0) return el('span', { class: 'chip plain' }, labelled < ENOUGH ? 'few labels' : 'no difference');
  return worseBy > 0 ? el('span', { class: 'chip bad' }, 'worse') : el('span', { class: 'chip good' }, 'better');
}
