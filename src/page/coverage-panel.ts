import { ask, number, text, type Row } from './api.ts';
import { breakMarks } from './break-mark.ts';
import { withBreaks } from './breaks.ts';
import type { ChartConfiguration } from './chart.ts';
import { el } from './dom.ts';
import { compact, count, day, NOTHING, percent } from './format.ts';
import { markersPlugin } from './markers.ts';
import { ofVersion, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';
import { colour, colourOf, tint } from './theme.ts';
import { atOf, dateOf, timeAxis } from './time-axis.ts';

/** More of them would be a comb. */
const MOST_BARS = 90;

/** How much of the truth is known, day by day, and how long it took. */
export const coveragePanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'coverage',
    title: 'Labels',
    about: 'predictions by day, and how many of them have their truth',
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
        label: `Labelled and unlabelled predictions of version ${context.focus} by day`,
        config: coverageChart(rows, context.focus, young === -1 ? undefined : rows[young]),
        table: tableOf(rows),
      });
    },
  });

function dayOf(row: Row, column: string): string {
  return day(text(row, column));
}

function coverageChart(days: readonly Row[], version: number, frontier: Row | undefined): ChartConfiguration {
  const rows = withBreaks(
    days,
    (row) => atOf(text(row, 'window_date')),
    (time) => ({ window_date: dateOf(time), n_predictions: 0, n_labeled: 0 }),
  );
  const at = rows.map((row) => atOf(text(row, 'window_date')));
  const bars = (label: string, values: (row: Row) => number, background: string) => ({
    label,
    stack: 'predictions',
    fill: true,
    stepped: 'middle' as const,
    pointRadius: 0,
    borderWidth: 0,
    data: rows.map((row, index) => ({ x: at[index] ?? 0, y: values(row) })),
    backgroundColor: background,
    maxBarThickness: 34,
    barPercentage: 1,
    categoryPercentage: 1,
  });
  const labelled = (row: Row): number => number(row, 'n_labeled') ?? 0;
  return {
    type: rows.length > MOST_BARS ? 'line' : 'bar',
    data: {
      datasets: [
        bars('labelled', labelled, colourOf(version)),
        bars('not yet', (row) => (number(row, 'n_predictions') ?? 0) - labelled(row), tint(colour('quiet'), 0.3)),
      ],
    },
    options: {
      interaction: { mode: 'index', intersect: false, axis: 'x' },
      scales: {
        x: { ...timeAxis(days.map((row) => atOf(text(row, 'window_date')))), stacked: true },
        y: {
          stacked: true,
          beginAtZero: true,
          ticks: { maxTicksLimit: 5, callback: (value) => compact(Number(value)) },
        },
      },
      plugins: { tooltip: { callbacks: { title: ([item]) => day(dateOf(item?.parsed.x ?? 0)) } } },
    },
    plugins: [
      markersPlugin(frontier === undefined ? [] : [{ at: atOf(text(frontier, 'window_date')), label: 'not mature' }]),
      breakMarks(days.map((row) => atOf(text(row, 'window_date')))),
    ],
  } as ChartConfiguration;
}

function tableOf(rows: readonly Row[]) {
  const numeric = (head: string) => ({ head, number: true as const });
  return {
    caption: 'Label coverage by day',
    columns: [
      'Day',
      numeric('Predictions'),
      numeric('Labelled'),
      numeric('Coverage'),
      numeric('Median delay'),
      'Expected by',
    ],
    rows: rows.map((row) => [
      day(text(row, 'window_date')),
      count(number(row, 'n_predictions')),
      count(number(row, 'n_labeled')),
      percent(number(row, 'label_coverage')),
      delay(number(row, 'median_label_delay_days')),
      day(text(row, 'expected_mature_on')),
    ]),
  };
}

function delay(days: number | null): string {
  return days === null ? NOTHING : `up to ${days} ${days === 1 ? 'day' : 'days'}`;
}
