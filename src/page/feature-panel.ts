import { ask, number, text, type Row } from './api.ts';
import type { ChartConfiguration } from './chart.ts';
import { driftMap } from './drift-map.ts';
import { el } from './dom.ts';
import { count, day, decimal, percent } from './format.ts';
import { ofVersion, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';
import { colour, tint } from './theme.ts';
import { timePlot } from './time-plot.ts';

type Data = {
  readonly feature: string;
  readonly date: string;
  readonly days: readonly Row[];
  readonly bins: readonly Row[];
};

/** One feature: how it lies against its baseline on a day, and how far it was off on the others. */
export const featurePanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'feature',
    title: 'Feature',
    depends: ({ focus }) => focus,
    load: async (context) => {
      const rows = await ask('drift', ofVersion(context));
      const map = driftMap(rows);
      const feature = context.address.feature ?? map.features[0];
      const date = context.address.day ?? map.days.at(-1);
      if (feature === undefined || date === undefined) return undefined;
      const bins = await ask('feature', { ...ofVersion(context), feature, day: date });
      return { feature, date, bins, days: rows.filter((row) => row['feature_name'] === feature).toReversed() };
    },
    draw: (sheet, { feature, date, days, bins }) => {
      sheet.add(el('p', {}, el('strong', {}, feature), ` on ${day(date)}`));
      if (bins.length > 0)
        sheet.plot({
          label: `${feature} on ${day(date)} against its baseline`,
          size: 'low',
          config: binsChart(bins),
          table: binsTable(bins),
        });
      const points = (column: string) =>
        days.map((row) => ({ date: text(row, 'window_date'), value: number(row, column) }));
      if (days.length === 0) return;
      sheet.plot({
        label: `Population stability index of ${feature} by day`,
        size: 'low',
        config: timePlot({
          series: [
            { label: 'PSI', colour: colour('series-2'), points: points('psi') },
            { label: 'what chance gives', colour: colour('quiet'), points: points('psi_noise_limit'), dashed: true },
          ],
          format: decimal,
          byMonth: false,
        }),
        table: daysTable(days),
      });
    },
  });

function binsChart(bins: readonly Row[]): ChartConfiguration {
  const bars = (label: string, column: string, background: string) => ({
    label,
    data: bins.map((row) => number(row, column)),
    backgroundColor: background,
  });
  return {
    type: 'bar',
    data: {
      labels: bins.map((row) => text(row, 'bin_label')),
      datasets: [
        bars('baseline', 'baseline_share', tint(colour('quiet'), 0.4)),
        bars('this day', 'share', colour('series-2')),
      ],
    },
    options: {
      interaction: { mode: 'index', intersect: false },
      scales: {
        x: { grid: { display: false } },
        y: { ticks: { maxTicksLimit: 5, callback: (value) => percent(Number(value), 0) } },
      },
      plugins: {
        legend: { display: true, position: 'bottom' },
        tooltip: { callbacks: { label: ({ dataset, parsed }) => `${dataset.label ?? ''}: ${percent(parsed.y)}` } },
      },
    },
  };
}

function binsTable(bins: readonly Row[]) {
  return {
    caption: 'Shares by bin',
    columns: ['Bin', ...['Rows', 'Share', 'Baseline'].map((head) => ({ head, number: true as const }))],
    rows: bins.map((row) => [
      text(row, 'bin_label'),
      count(number(row, 'n')),
      percent(number(row, 'share')),
      percent(number(row, 'baseline_share')),
    ]),
  };
}

function daysTable(days: readonly Row[]) {
  return {
    caption: 'By day',
    columns: ['Day', ...['Rows', 'PSI', 'Noise limit'].map((head) => ({ head, number: true as const }))],
    rows: days.map((row) => [
      day(text(row, 'window_date')),
      count(number(row, 'n')),
      decimal(number(row, 'psi')),
      decimal(number(row, 'psi_noise_limit')),
    ]),
  };
}
