import { ask, number, text, type Row } from './api.ts';
import type { ChartConfiguration } from './chart.ts';
import { count, percent } from './format.ts';
import { versionLegend } from './legend.ts';
import { ofVersions, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';
import { colourOf, tint } from './theme.ts';

const STEPS = 50;

/** How the scores of each version lie. */
export const scoresPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'scores',
    title: 'Scores',
    about: 'share of predictions by score',
    load: async (context) =>
      context.task === 'binary' && context.month !== undefined
        ? ask('scores', { ...ofVersions(context), month: context.month })
        : undefined,
    draw: (sheet, rows, context) => {
      if (rows.length === 0) return sheet.say('No predictions in this month.');
      sheet.add(versionLegend(context));
      sheet.plot({
        label: 'Share of predictions by score and version',
        config: scoresChart(rows, context.versions),
        table: {
          caption: 'Scores in steps of 0.02',
          columns: [
            'Version',
            ...['Score from', 'Predictions', 'Share'].map((head) => ({ head, number: true as const })),
          ],
          rows: rows.map((row) => [
            text(row, 'model_version'),
            (number(row, 'bin_low') ?? 0).toFixed(2),
            count(number(row, 'n')),
            percent(number(row, 'share'), 2),
          ]),
        },
      });
    },
  });

function scoresChart(rows: readonly Row[], versions: readonly number[]): ChartConfiguration {
  return {
    type: 'line',
    data: {
      datasets: versions.map((version) => ({
        ...style(version),
        data: stepsOf(rows.filter((row) => row['model_version'] === version)),
      })),
    },
    options: {
      interaction: { mode: 'index', intersect: false, axis: 'x' },
      scales: {
        x: { type: 'linear', min: 0, max: 1, title: { display: true, text: 'score' } },
        y: {
          beginAtZero: true,
          ticks: { maxTicksLimit: 5, callback: (value: number | string) => percent(Number(value), 0) },
        },
      },
      plugins: {
        tooltip: {
          callbacks: {
            title: ([item]) => `scores from ${(item?.parsed.x ?? 0).toFixed(2)}`,
            label: ({ dataset, parsed }) => `${dataset.label ?? ''}: ${percent(parsed.y, 2)}`,
          },
        },
      },
    },
  } as ChartConfiguration;
}

function style(version: number) {
  const stroke = colourOf(version);
  return {
    label: `version ${version}`,
    borderColor: stroke,
    backgroundColor: tint(stroke, 0.15),
    fill: 'origin',
    stepped: 'before' as const,
    borderWidth: 2,
    pointRadius: 0,
  };
}

/** Steps without a prediction have no row, but a share: none. */
function stepsOf(rows: readonly Row[]): { x: number; y: number }[] {
  const shares = new Map(
    rows.map((row) => [Math.round((number(row, 'bin_low') ?? 0) * STEPS), number(row, 'share') ?? 0]),
  );
  return Array.from({ length: STEPS + 1 }, (_, step) => ({ x: step / STEPS, y: shares.get(step) ?? 0 }));
}
