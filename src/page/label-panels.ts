import { ask, number, text, type Row } from './api.ts';
import { count, day, NOTHING, percent, compact, decimal } from './format.ts';
import { isScore, ofVersion, type ModelContext } from './model-context.ts';
import { chartPanel, panel, type Panel } from './panel.ts';
import { breakMarks, markersPlugin } from './markers.ts';
import { withBreaks } from './breaks.ts';
import type { ChartConfiguration } from './chart.ts';
import { experimentBands, experimentMarkers, experimentsIn, lastOf, type Experiment } from './experiment-bands.ts';
import { colour, colourOf, tint } from './theme.ts';
import { atOf, dateOf, timeAxis } from './time-axis.ts';
import { scrollingTable, numeric } from './data-table.ts';

/** How much of the truth is known, day by day, and how long it took. */
export const coveragePanel = (): Panel<ModelContext> =>
  chartPanel<ModelContext>({
    id: 'coverage',
    title: 'Predictions and labels',
    about: 'by day: whose truth is known, how long it took, and whose is not',
    depends: ({ focus, experiments }) => [focus, experiments],
    load: async (context) => (await ask('coverage', ofVersion(context))).toReversed(),
    nothing: ['No predictions yet.'],
    above: (rows, { task }) =>
      task === 'unjudged' ? 'No label judges what this model gives.' : standingOf(rows, rows.findIndex(isYoung)),
    plot: (rows, { task, focus, experiments }) => ({
      label: `Predictions of version ${focus} by day, and how long their labels took`,
      config:
        task === 'unjudged'
          ? volumeChart(rows, focus, experiments)
          : coverageChart(rows, partsOf(rows, focus), rows.find(isYoung), experiments),
      table: tableOf(rows),
    }),
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

/** More of them would be a comb. */
const MOST_BARS = 90;

/** How long labels took: each column counts those of the ones before it, too. */
const DELAYS = [
  ['known within a day', 'n_labeled_1_day', 1],
  ['within 7 days', 'n_labeled_7_days', 0.72],
  ['within 30 days', 'n_labeled_30_days', 0.52],
  ['within 90 days', 'n_labeled_90_days', 0.36],
  ['later', 'n_labeled', 0.24],
] as const;

type Part = { readonly label: string; readonly background: string; readonly of: (row: Row) => number };

/** Predictions by day: those whose truth is known by how long it took, and those whose is not; a line where days cease to be mature. */
function coverageChart(
  days: readonly Row[],
  parts: readonly Part[],
  frontier: Row | undefined,
  experiments: readonly Experiment[],
): ChartConfiguration {
  const times = days.map((row) => timeOf(row));
  const rows = withBreaks(days, timeOf, (time) => ({ window_date: dateOf(time) }));
  return {
    type: rows.length > MOST_BARS ? 'line' : 'bar',
    data: { datasets: parts.map((part) => bars(part, rows)) },
    options: {
      interaction: { mode: 'index', intersect: false, axis: 'x' },
      scales: {
        x: { ...timeAxis(times, lastOf(experiments)), stacked: true },
        y: {
          stacked: true,
          beginAtZero: true,
          ticks: { maxTicksLimit: 5, callback: (value) => compact(Number(value)) },
        },
      },
      plugins: {
        legend: { display: true, position: 'bottom' },
        tooltip: {
          callbacks: {
            title: ([item]) => day(dateOf(item?.parsed.x ?? 0)),
            label: ({ dataset, parsed }) => `${dataset.label ?? ''}: ${count(parsed.y)}`,
            footer: ([item]) => experimentsIn(experiments, item?.parsed.x ?? 0, (item?.parsed.x ?? 0) + 1),
          },
        },
      },
    },
    plugins: [
      experimentBands(experiments),
      markersPlugin([
        ...experimentMarkers(experiments),
        ...(frontier === undefined ? [] : [{ at: timeOf(frontier), label: 'not mature' }]),
      ]),
      breakMarks(times),
    ],
  } as ChartConfiguration;
}

/** Predictions by day, of a model that no label judges. */
function volumeChart(days: readonly Row[], version: number, experiments: readonly Experiment[]): ChartConfiguration {
  const of = (row: Row): number => number(row, 'n_predictions') ?? 0;
  return coverageChart(days, [{ label: 'predictions', background: colourOf(version), of }], undefined, experiments);
}

function timeOf(row: Row): number {
  return atOf(text(row, 'window_date'));
}

/** Delays that no label had are left out. */
function partsOf(days: readonly Row[], version: number): Part[] {
  const counted = (row: Row, column: string): number => number(row, column) ?? 0;
  const delays = DELAYS.map(([label, column, share], at) => {
    const before = DELAYS[at - 1]?.[1];
    const of = (row: Row): number => counted(row, column) - (before === undefined ? 0 : counted(row, before));
    return { label, background: tint(colourOf(version), share), of };
  });
  const superseded = (row: Row): number => counted(row, 'n_superseded');
  const unknown = (row: Row): number => counted(row, 'n_predictions') - counted(row, 'n_labeled') - superseded(row);
  const hasAny = ({ of }: Part): boolean => days.some((row) => of(row) > 0);
  return [
    ...delays.filter(hasAny),
    { label: 'not yet known', background: tint(colour('quiet'), 0.3), of: unknown },
    ...[{ label: 'superseded', background: tint(colour('quiet'), 0.12), of: superseded }].filter(hasAny),
  ];
}

function bars({ label, background, of }: Part, rows: readonly Row[]) {
  return {
    label,
    stack: 'predictions',
    fill: true,
    stepped: 'middle' as const,
    pointRadius: 0,
    borderWidth: 0,
    data: rows.map((row) => ({ x: timeOf(row), y: of(row) })),
    backgroundColor: background,
    maxBarThickness: 34,
    barPercentage: 1,
    categoryPercentage: 1,
  };
}

const AGES = ['1 day', '7 days', '30 days', '90 days', 'later'] as const;

/** Months side by side, each judged by labels that came as fast. */
export const labelAgePanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'label-age',
    title: 'By age of label',
    about: 'a month that is young compares with others on the labels that come early',
    depends: ({ focus, target }) => [focus, target],
    load: async (context) => (isScore(context) ? ask('label-age', ofVersion(context)) : undefined),
    draw: (body, rows, { task }) => {
      if (rows.every((row) => number(row, 'n_labeled') === 0)) return body.say('No labels yet.');
      const months = [...new Set(rows.map((row) => text(row, 'window_date')))];
      const cell = (month: string, age: string): string => {
        const row = rows.find((one) => one['window_date'] === month && one['label_age'] === age);
        if (row === undefined) return NOTHING;
        return task === 'regression' ? decimal(number(row, 'mae')) : percent(number(row, 'accuracy'));
      };
      const caption = `${task === 'regression' ? 'Mean absolute error' : 'Accuracy'} on the labels that were known within …`;
      const ever = (month: string): Row | undefined =>
        rows.find((one) => one['window_date'] === month && one['label_age'] === 'later');
      body.say(caption);
      body.add(
        scrollingTable({
          caption,
          columns: [
            'Month',
            ...[...AGES.map((age) => (age === 'later' ? 'ever' : age)), 'Labels', 'Known'].map(numeric),
          ],
          rows: months.map((month) => [
            day(month, true),
            ...AGES.map((age) => cell(month, age)),
            count(number(ever(month), 'n_labeled')),
            percent(number(ever(month), 'label_coverage')),
          ]),
        }),
      );
    },
  });
