import { ask, number, text, type Row } from './api.ts';
import type { ChartConfiguration } from './chart.ts';
import { count, day, decimal, percent } from './format.ts';
import { ofVersion, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';
import { colourOf } from './theme.ts';

/** How the errors of a regression lie about 0. */
export const residualsPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'residuals',
    title: 'Residuals',
    about: 'prediction minus truth, of the newest labelled predictions',
    depends: ({ focus }) => focus,
    load: async (context) => (context.task === 'regression' ? ask('residuals', ofVersion(context)) : undefined),
    draw: (sheet, rows, { focus }) => {
      const [first] = rows;
      if (first === undefined) return sheet.say('No labels yet.');
      const [from, to] = [day(text(first, 'first_date')), day(text(first, 'last_date'))];
      sheet.plot({
        label: `Errors of version ${focus}: prediction minus truth`,
        size: 'low',
        config: histogram(rows, focus),
        table: {
          caption: 'Predictions by their error',
          columns: ['Error', ...['Predictions', 'Share'].map((head) => ({ head, number: true as const }))],
          rows: rows.map((row) => [range(row), count(number(row, 'n')), percent(number(row, 'share'))]),
        },
      });
      sheet.say(`${count(number(first, 'n_sampled'))} predictions for ${from === to ? from : `${from} to ${to}`}.`);
    },
  });

function histogram(rows: readonly Row[], version: number): ChartConfiguration {
  return {
    type: 'bar',
    data: {
      labels: rows.map(range),
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
        y: { beginAtZero: true, ticks: { maxTicksLimit: 5, callback: (value) => percent(Number(value), 0) } },
      },
      plugins: {
        tooltip: { callbacks: { label: ({ dataIndex }) => `${count(number(rows[dataIndex], 'n'))} predictions` } },
      },
    },
  };
}

function range(row: Row): string {
  const [low, high] = [number(row, 'error_low'), number(row, 'error_high')];
  if (low === null) return `below ${decimal(high)}`;
  return high === null ? `above ${decimal(low)}` : `${decimal(low)} to ${decimal(high)}`;
}
