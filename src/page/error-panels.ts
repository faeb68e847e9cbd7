import { numeric } from './data-table.ts';
import { ask, number, text, type Row } from './api.ts';
import { day, decimal, count, percent } from './format.ts';
import { isImmature } from './model-metrics.ts';
import { isScore, ofTarget, ofVersion, type ModelContext } from './model-context.ts';
import { chartPanel, panel, type Panel } from './panel.ts';
import { colour, colourOf, legend } from './theme.ts';
import { timePlot } from './time-plot.ts';
import { shareTicks, type ChartConfiguration } from './chart.ts';

const LINES = [
  ['half of the errors are below', 'median_abs_error', 1],
  ['mean', 'mae', 3],
  ['nine of ten are below', 'p90_abs_error', 2],
] as const;

/** How the errors of a regression lie, and to which side. */
export const errorsPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'errors',
    title: 'Errors',
    about: 'sizes, and to which side',
    depends: ({ address, focus, target, experiments }) => [address.grain, focus, target, experiments],
    load: async (context) => {
      const { model, version } = ofVersion(context);
      if (context.task !== 'regression') return undefined;
      return ask(`performance-regression-${context.address.grain}`, { model, versions: version, ...ofTarget(context) });
    },
    draw: (body, rows, { address, focus, experiments }) => {
      const known = rows.filter((row) => number(row, 'n_labeled') !== 0);
      if (known.length === 0) return body.say('No labels yet.');
      const byMonth = address.grain === 'month';
      const points = (column: string) =>
        known.map((row) => ({
          date: text(row, 'window_date'),
          value: number(row, column),
          immature: isImmature(row),
        }));
      body.add(legend(...LINES.map(([name, , series]) => [`s${series}`, name] as const)));
      body.plot({
        label: `Sizes of the errors of version ${focus}`,
        size: 'low',
        config: timePlot({
          series: LINES.map(([label, column, series]) => ({
            label,
            colour: colour(`series-${series}`),
            points: points(column),
          })),
          format: decimal,
          byMonth,
          experiments,
        }),
        table: tableOf(known, 'Sizes of errors', byMonth, ['median_abs_error', 'mae', 'p90_abs_error']),
      });
      body.say('Bias: above 0 the model says too much, below too little.');
      body.plot({
        label: `Bias of version ${focus}`,
        size: 'low',
        config: timePlot({
          series: [{ label: 'bias', colour: colour('series-4'), points: points('bias') }],
          format: decimal,
          byMonth,
          experiments,
        }),
        table: tableOf(known, 'Bias and mean of the truth', byMonth, ['bias', 'actual_mean']),
      });
    },
  });

function tableOf(rows: readonly Row[], caption: string, byMonth: boolean, columns: readonly string[]) {
  return {
    caption,
    columns: ['From', ...columns.map((head) => numeric(head.replaceAll('_', ' ')))],
    rows: rows.map((row) => [
      day(text(row, 'window_date'), byMonth),
      ...columns.map((column) => decimal(number(row, column))),
    ]),
  };
}

/** How the errors of a regression lie about 0. */
export const residualsPanel = (): Panel<ModelContext> =>
  chartPanel<ModelContext>({
    id: 'residuals',
    title: 'Residuals',
    about: 'prediction minus truth, of the newest labelled predictions',
    depends: ({ focus, target }) => [focus, target],
    load: async (context) =>
      isScore(context) && context.task === 'regression' ? ask('residuals', ofVersion(context)) : undefined,
    nothing: ['No labels yet.'],
    plot: (rows, { focus }) => ({
      label: `Errors of version ${focus}: prediction minus truth`,
      size: 'low',
      config: histogram(rows, focus),
      table: {
        caption: 'Predictions by their error',
        columns: ['Error', ...['Predictions', 'Share'].map(numeric)],
        rows: rows.map((row) => [rangeOf(row, 'error'), count(number(row, 'n')), percent(number(row, 'share'))]),
      },
    }),
    below: ([first]) => sampledOf(first),
  });

function histogram(rows: readonly Row[], version: number): ChartConfiguration {
  return {
    type: 'bar',
    data: {
      labels: rows.map((row) => rangeOf(row, 'error')),
      datasets: [
        {
          label: 'share',
          data: rows.map((row) => number(row, 'share')),
          backgroundColor: colourOf(version),
          categoryPercentage: 1,
          barPercentage: 0.95,
        },
      ],
    },
    options: {
      scales: {
        x: { grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 24 } },
        y: { beginAtZero: true, ticks: shareTicks() },
      },
      plugins: {
        tooltip: { callbacks: { label: ({ dataIndex }) => `${count(number(rows[dataIndex], 'n'))} predictions` } },
      },
    },
  };
}

/** From where to where a bin or cell goes along one axis; it may be open to one side. */
export function rangeOf(row: Row, axis: 'error' | 'predicted' | 'actual'): string {
  const [low, high] = [number(row, `${axis}_low`), number(row, `${axis}_high`)];
  if (low === null) return `below ${decimal(high)}`;
  return high === null ? `above ${decimal(low)}` : `${decimal(low)} to ${decimal(high)}`;
}

/** How many predictions a sample holds, and of which days. */
export function sampledOf(first: Row | undefined): string {
  const [from, to] = [day(text(first, 'first_date')), day(text(first, 'last_date'))];
  return `${count(number(first, 'n_sampled'))} predictions for ${from === to ? from : `${from} to ${to}`}.`;
}
