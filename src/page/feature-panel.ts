import { numeric, tableOf, type Field } from './data-table.ts';
import { ask, number, text, type Row } from './api.ts';
import { shareTicks, type ChartConfiguration } from './chart.ts';
import { chosenCell, driftMap, levelOf, windowName } from './drift-panel.ts';
import type { Grain } from './address.ts';
import { el } from './dom.ts';
import { count, day, decimal, percent } from './format.ts';
import type { Experiment } from './experiment-bands.ts';
import { ofVersion, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';
import { colour, tint } from './theme.ts';
import { timePlot } from './time-plot.ts';

type Data = {
  readonly feature: string;
  readonly date: string;
  /** Those of rows enough to tell, the oldest first. */
  readonly windows: readonly Row[];
  readonly leftOut: number;
  readonly bins: readonly Row[];
};

/** One feature: how it lies against its baseline on a day, and how far it was off on the others. */
export const featurePanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'feature',
    title: 'Feature',
    depends: ({ focus, address }) => [focus, address.grain],
    load: async (context) => {
      const { address } = context;
      const rows = await ask(`drift-${address.grain}`, ofVersion(context));
      const chosen = chosenCell(driftMap(rows), address);
      if (chosen === undefined) return undefined;
      const bins = await ask(`feature-${address.grain}`, { ...ofVersion(context), ...chosen });
      const all = rows.filter((row) => row['feature_name'] === chosen.feature).toReversed();
      const windows = all.filter((row) => levelOf(row) >= 0);
      return { feature: chosen.feature, date: chosen.day, bins, windows, leftOut: all.length - windows.length };
    },
    draw: (body, { feature, date, windows, leftOut, bins }, { address: { grain }, experiments }) => {
      const name = windowName(grain, date);
      body.add(el('h3', { class: 'feature-name' }, `${feature}, ${name}, against its baseline`));
      if (bins.length > 0)
        body.plot({
          label: `${feature}, ${name}, against its baseline`,
          config: binsChart(bins, grain),
          table: tableOf('Shares by bin', BIN_FIELDS, bins),
        });
      const few =
        leftOut === 0 ? '' : ` Left out, for too few rows to tell: ${leftOut} ${grain}${leftOut === 1 ? '' : 's'}.`;
      body.add(el('h3', { class: 'feature-name' }, `Drift of ${feature} by ${grain}`));
      body.say(`Population stability index against the baseline: lower is closer.${few}`);
      if (windows.length === 0) return;
      body.plot({
        label: `Population stability index of ${feature} by ${grain}`,
        size: 'low',
        config: psiChart(windows, grain, experiments),
        table: tableOf(`By ${grain}`, windowFields(grain), windows),
      });
    },
  });

function psiChart(windows: readonly Row[], grain: Grain, experiments: readonly Experiment[]): ChartConfiguration {
  const points = (column: string) =>
    windows.map((row) => ({ date: text(row, 'window_date'), value: number(row, column) }));
  const limit = {
    label: 'what chance gives at most (99 %)',
    colour: colour('quiet'),
    points: points('psi_noise_limit'),
    dashed: true,
  };
  const psi = { label: 'PSI', colour: colour('series-2'), points: points('psi') };
  const series = [psi, limit];
  return timePlot({ series, format: decimal, byMonth: grain === 'month', axis: 'PSI', legend: true, experiments });
}

const LONGEST = 18;
const DIGITS = 5;

/** A bin by its whole name; of numbers no more digits than tell its ends apart. */
function binName(row: Row): string {
  const [low, high] = [number(row, 'bin_low'), number(row, 'bin_high')];
  if (low === null || high === null) return text(row, 'bin_label');
  const [from, to] = [low, high].map((end) => String(Number(end.toPrecision(DIGITS))));
  return from === to && low !== high ? text(row, 'bin_label') : `${from} to ${to}`;
}

function shortened(name: string): string {
  const letters = Array.from(name.replaceAll(/\s+/g, ' '));
  return letters.length <= LONGEST ? letters.join('') : `${letters.slice(0, LONGEST - 1).join('')}…`;
}

function binsChart(bins: readonly Row[], grain: Grain): ChartConfiguration {
  const bars = (label: string, column: string, background: string) => ({
    label,
    data: bins.map((row) => number(row, column)),
    backgroundColor: background,
  });
  return {
    type: 'bar',
    data: {
      labels: bins.map((row) => shortened(binName(row))),
      datasets: [
        bars('baseline', 'baseline_share', tint(colour('quiet'), 0.4)),
        bars(`this ${grain}`, 'share', colour('series-2')),
      ],
    },
    options: {
      interaction: { mode: 'index', intersect: false },
      scales: {
        x: { grid: { display: false } },
        y: { title: { display: true, text: 'share of rows' }, ticks: shareTicks() },
      },
      plugins: {
        legend: { display: true, position: 'bottom' },
        tooltip: {
          callbacks: {
            title: ([item]) => binName(bins[item?.dataIndex ?? 0] ?? {}),
            label: ({ dataset, parsed }) => `${dataset.label ?? ''}: ${percent(parsed.y)}`,
          },
        },
      },
    },
  };
}

const BIN_FIELDS: readonly Field[] = [
  ['Bin', binName],
  [numeric('Rows'), (row) => count(number(row, 'n'))],
  [numeric('Share'), (row) => percent(number(row, 'share'))],
  [numeric('Baseline'), (row) => percent(number(row, 'baseline_share'))],
  [numeric('Adds to PSI'), (row) => decimal(number(row, 'psi_contribution'))],
];

const windowFields = (grain: Grain): Field[] => [
  ['From', (row) => day(text(row, 'window_date'), grain === 'month')],
  [numeric('Rows'), (row) => count(number(row, 'n'))],
  [numeric('PSI'), (row) => decimal(number(row, 'psi'))],
  [numeric('Noise limit'), (row) => decimal(number(row, 'psi_noise_limit'))],
];
