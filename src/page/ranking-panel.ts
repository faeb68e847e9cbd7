import { numeric, tableOf, type Field } from './data-table.ts';
import { ask, number, type Row } from './api.ts';
import { curveOf, guideLine, shareTicks, tooltipOf, type ChartConfiguration } from './chart.ts';
import { el } from './dom.ts';
import { count, decimal, NOTHING, percent } from './format.ts';
import { colourOf, versionLegend } from './theme.ts';
import { isScore, ofVersions, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';

type Data = { readonly curve: readonly Row[]; readonly months: readonly Row[] };
type Ends = readonly [from: number, to: number];

/** How well each version tells positives from negatives, whatever the threshold. */
export const rankingPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'ranking',
    title: 'Ranking',
    about: 'how well positives are told from negatives, by any threshold',
    load: async (context) => {
      const { task, month } = context;
      if (task !== 'binary' || !isScore(context) || month === undefined) return undefined;
      const [curve, rows] = await Promise.all([
        ask('roc', { ...ofVersions(context), month }),
        ask('performance-binary-month', ofVersions(context)),
      ]);
      return { curve, months: rows.filter((row) => row['window_date'] === month) };
    },
    draw: (body, { curve, months }, context) => {
      if (curve.length === 0) return body.say('No labels in this month.');
      body.add(versionLegend(context), ...months.map((row) => el('p', { class: 'quiet' }, areasOf(row))));
      const rate = number(
        months.find((row) => row['model_version'] === context.focus),
        'positive_rate_actual',
      );
      const table = tableOf('The curve, point by point', FIELDS, curve);
      body.plot({
        label: 'ROC curve: true positive rate against false positive rate',
        config: curveChart(curve, context.versions, ['false_positive_rate', 'true_positive_rate'], [0, 1]),
        table,
      });
      body.plot({
        label: 'Precision against recall',
        config: curveChart(curve, context.versions, ['recall_score', 'precision_score'], [rate ?? 0, rate ?? 0]),
        table,
      });
    },
  });

/** The area is of finer bins than the curve has points; how far it may be off is said where it shows. */
function areasOf(row: Row): string {
  const [area, low, high] = ['roc_auc', 'roc_auc_ci_low', 'roc_auc_ci_high'].map((name) => number(row, name));
  const [bound, precision] = [number(row, 'roc_auc_error_bound'), number(row, 'average_precision')];
  const interval = typeof low === 'number' ? ` (${decimal(low)} to ${decimal(high)})` : '';
  const off = bound !== null && bound >= 0.0005 ? `, within ${decimal(bound)}` : '';
  return `Version ${number(row, 'model_version') ?? NOTHING}: ROC AUC ${decimal(area)}${interval}${off}; average precision ${decimal(precision)}.`;
}

const TITLES: Readonly<Record<string, string>> = {
  false_positive_rate: 'false positive rate',
  true_positive_rate: 'true positive rate',
  recall_score: 'recall',
  precision_score: 'precision',
};

/** A line a version, and where it would be if scores meant nothing. */
function curveChart(
  curve: readonly Row[],
  versions: readonly number[],
  [across, up]: readonly [across: string, up: string],
  chance: Ends,
): ChartConfiguration {
  const axis = (column: string) => ({
    type: 'linear' as const,
    min: 0,
    max: 1,
    title: { display: true, text: TITLES[column] ?? column },
    ticks: shareTicks(6),
  });
  const lines = versions.map((version) => {
    const known = curve.filter(
      (row) => row['model_version'] === version && number(row, across) !== null && number(row, up) !== null,
    );
    const points = known.map((row) => ({ x: number(row, across) ?? 0, y: number(row, up) }));
    return curveOf(`version ${version}`, colourOf(version), points);
  });
  return {
    type: 'line',
    data: { datasets: [...lines, guideLine('by chance', [0, 1], chance)] },
    options: {
      interaction: { mode: 'nearest', intersect: false },
      scales: { x: axis(across), y: axis(up) },
      plugins: {
        tooltip: tooltipOf((x) => `${TITLES[across] ?? across} ${percent(x)}`, percent),
      },
    },
  } as ChartConfiguration;
}

const FIELDS: readonly Field[] = [
  ['Version', (row) => String(number(row, 'model_version') ?? NOTHING)],
  [numeric('Scores from'), (row) => number(row, 'threshold')?.toFixed(2) ?? NOTHING],
  [numeric('True positive rate'), (row) => percent(number(row, 'true_positive_rate'))],
  [numeric('False positive rate'), (row) => percent(number(row, 'false_positive_rate'))],
  [numeric('Precision'), (row) => percent(number(row, 'precision_score'))],
  [numeric('Called positive'), (row) => count(number(row, 'n_predicted_positive'))],
];
