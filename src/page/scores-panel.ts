import { numeric } from './data-table.ts';
import { ask, number, text, type Row } from './api.ts';
import { shareTicks, tooltipOf, type ChartConfiguration } from './chart.ts';
import { count, percent } from './format.ts';
import { colour, colourOf, legend, tint, versionLegend } from './theme.ts';
import { isScore, ofMonth, ofVersions, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';

const STEPS = 50;

type Data = { readonly byVersion: readonly Row[]; readonly byOutcome: readonly Row[] };
/** Scores that are drawn together. */
type Group = { readonly label: string; readonly stroke: string; readonly rows: readonly Row[] };

const OUTCOMES = [
  ['positive', 2],
  ['negative', 3],
] as const;

/** How the scores of each version lie, and those of one by what was true. */
export const scoresPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'scores',
    title: 'Scores',
    about: 'share of predictions by score',
    load: async (context) => {
      const values = ofMonth(context);
      if (context.task !== 'binary' || !isScore(context) || values === undefined) return undefined;
      const [byVersion, byOutcome] = await Promise.all([
        ask('scores', { ...ofVersions(context), month: values.month }),
        ask('scores-by-outcome', values),
      ]);
      return { byVersion, byOutcome };
    },
    draw: (body, { byVersion, byOutcome }, context) => {
      if (byVersion.length === 0) return body.say('No predictions in this month.');
      body.add(versionLegend(context));
      const versions = context.versions.map((version) => ({
        label: `version ${version}`,
        stroke: colourOf(version),
        rows: byVersion.filter((row) => row['model_version'] === version),
      }));
      body.plot({
        label: 'Share of predictions by score and version',
        config: scoresChart(versions),
        table: tableOf(byVersion, 'Version', 'model_version'),
      });
      if (byOutcome.length === 0) return;
      body.say(`Of version ${context.focus}, by what was true:`);
      body.add(legend(...OUTCOMES.map(([label, series]) => [`s${series}`, `was ${label}`] as const)));
      const outcomes = OUTCOMES.map(([label, series]) => ({
        label,
        stroke: colour(`series-${series}`),
        rows: byOutcome.filter((row) => row['outcome'] === label),
      }));
      body.plot({
        label: `Share of the scores of version ${context.focus} by what was true`,
        config: scoresChart(outcomes),
        table: tableOf(byOutcome, 'Was', 'outcome'),
      });
    },
  });

function tableOf(rows: readonly Row[], head: string, column: string) {
  return {
    caption: 'Scores in steps of 0.02',
    columns: [head, ...['Score from', 'Predictions', 'Share'].map(numeric)],
    rows: rows.map((row) => [
      text(row, column),
      (number(row, 'bin_low') ?? 0).toFixed(2),
      count(number(row, 'n')),
      percent(number(row, 'share'), 2),
    ]),
  };
}

function scoresChart(groups: readonly Group[]): ChartConfiguration {
  return {
    type: 'line',
    data: { datasets: groups.map(({ label, stroke, rows }) => ({ label, ...style(stroke), data: stepsOf(rows) })) },
    options: {
      interaction: { mode: 'index', intersect: false, axis: 'x' },
      scales: {
        x: { type: 'linear', min: 0, max: 1, title: { display: true, text: 'score' } },
        y: { beginAtZero: true, ticks: shareTicks() },
      },
      plugins: {
        tooltip: tooltipOf(
          (x) => `scores from ${x.toFixed(2)}`,
          (share) => percent(share, 2),
        ),
      },
    },
  } as ChartConfiguration;
}

function style(stroke: string) {
  return {
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
