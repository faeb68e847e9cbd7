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
      if (rows.length === 0) return sheet.say('No predictions yet.');
      const young = rows.findIndex(isYoung);
      sheet.add(el('p', { class: 'quiet' }, standingOf(rows, young)));
      sheet.plot({
        label: `Predictions of version ${context.focus} by day, and how long their labels took`,
        config: coverageChart(rows, context.focus, young === -1 ? undefined : rows[young]),
        table: tableOf(rows),
      });
    },
  });

/** Days on which later predictions stand in the place of all that have no label wait for none. */
function isSuperseded(row: Row): boolean {
  return number(row, 'label_coverage') === null;
}

function isYoung(row: Row): boolean {
  return row['is_mature'] !== true && !isSuperseded(row);
}

/** Up to when labels are there; `young` is the first day that waits for some. */
function standingOf(rows: readonly Row[], young: number): string {
  const mature = (young === -1 ? rows : rows.slice(0, young)).findLast((row) => row['is_mature'] === true);
  const latest = rows.findLast(isYoung);
  if (mature === undefined && latest === undefined) return 'No day waits for labels: later predictions are judged.';
  const upTo =
    mature === undefined ? 'No day has all its labels yet.' : `Mature up to ${dayOf(mature, 'window_date')}.`;
  return latest === undefined ? upTo : `${upTo} The newest day should be by ${dayOf(latest, 'expected_mature_on')}.`;
}

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
      isSuperseded(row) ? 'superseded' : percent(number(row, 'label_coverage')),
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
