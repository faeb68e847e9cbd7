import { ask, number, text, type Row } from './api.ts';
import { coverageChart } from './coverage-chart.ts';
import { el } from './dom.ts';
import { count, day, NOTHING, percent } from './format.ts';
import { ofVersion, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';

/** How much of the truth is known, day by day, and how long it took. */
export const coveragePanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'coverage',
    title: 'Labels',
    about: 'predictions by day: whose truth is known, how long it took, and whose is not',
    depends: ({ focus }) => focus,
    load: async (context) => (await ask('coverage', ofVersion(context))).toReversed(),
    draw: (sheet, rows, context) => {
      const latest = rows.at(-1);
      if (latest === undefined) return sheet.say('No predictions yet.');
      const young = rows.findIndex((row) => row['is_mature'] !== true);
      const mature = young === -1 ? latest : rows[young - 1];
      const upTo =
        mature === undefined ? 'No day has all its labels yet.' : `Mature up to ${dayOf(mature, 'window_date')}.`;
      const expected = young === -1 ? '' : ` The newest day should be by ${dayOf(latest, 'expected_mature_on')}.`;
      sheet.add(el('p', { class: 'quiet' }, `${upTo}${expected}`));
      sheet.plot({
        label: `Predictions of version ${context.focus} by day, and how long their labels took`,
        config: coverageChart(rows, context.focus, young === -1 ? undefined : rows[young]),
        table: tableOf(rows),
      });
    },
  });

function dayOf(row: Row, column: string): string {
  return day(text(row, column));
}

function tableOf(rows: readonly Row[]) {
  const numeric = (head: string) => ({ head, number: true as const });
  return {
    caption: 'Label coverage and delay by day',
    columns: [
      'Day',
      numeric('Predictions'),
      numeric('Labelled'),
      numeric('Coverage'),
      ...[1, 7, 30, 90].map((days) => numeric(`Within ${daysOf(days)}`)),
      numeric('Median delay'),
      'Expected by',
    ],
    rows: rows.map((row) => [
      day(text(row, 'window_date')),
      count(number(row, 'n_predictions')),
      count(number(row, 'n_labeled')),
      percent(number(row, 'label_coverage')),
      ...['1_day', '7_days', '30_days', '90_days'].map((delay) => count(number(row, `n_labeled_${delay}`))),
      medianOf(row),
      day(text(row, 'expected_mature_on')),
    ]),
  };
}

/** The view has no band beyond the last. */
function medianOf(row: Row): string {
  const days = number(row, 'median_label_delay_days');
  if (days !== null) return `up to ${daysOf(days)}`;
  return number(row, 'n_labeled') === 0 ? NOTHING : 'over 90 days';
}

function daysOf(days: number): string {
  return `${days} ${days === 1 ? 'day' : 'days'}`;
}
