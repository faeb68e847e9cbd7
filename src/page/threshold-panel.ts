import { ask, number, type Row } from './api.ts';
import { curveOf, shareTicks, tooltipOf, type ChartConfiguration } from './chart.ts';
import { numeric, tableOf, type Field } from './data-table.ts';
import { el, navigateTo, here } from './dom.ts';
import { count, percent } from './format.ts';
import { markersPlugin, type Marker } from './markers.ts';
import { isScore, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';
import { colour, legend } from './theme.ts';
import { decidingVersion, ofDecidingVersion, versionToggle } from './controls.ts';
import { matrixOf } from './classes-panel.ts';
import { countsAt, ratiosOf, type Counts } from './model-metrics.ts';

type Data = { readonly curve: readonly Row[]; readonly month: Row | undefined };

const LINES = [
  ['precision', 'precision_score', 1],
  ['recall', 'recall_score', 2],
  ['F1', 'f1_score', 3],
] as const;

/** What a binary classifier confuses, and what it would with another threshold. */
export const thresholdPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'threshold',
    title: 'Decisions',
    about: 'what was called positive, and what another threshold would call',
    depends: (context) => [context.focus, decidingVersion(context)],
    load: async (context) => {
      const values = ofDecidingVersion(context);
      if (context.task !== 'binary' || !isScore(context) || values === undefined) return undefined;
      const [curve, months] = await Promise.all([
        ask('threshold', values),
        ask('performance-binary-month', { model: values.model, versions: values.version }),
      ]);
      return { curve, month: months.find((row) => row['window_date'] === values.month) };
    },
    draw: (body, { curve, month }, context) => {
      body.add(...versionToggle(context));
      if (curve.length === 0) return body.say('No labels in this month.');
      const markers: Marker[] = [];
      const explorer = thresholdExplorer(curve, month);
      body.add(explorer.element, legend(...LINES.map(([name, , series]) => [`s${series}`, name] as const)));
      const chart = body.plot({
        label: 'Precision, recall and F1 by threshold',
        size: 'low',
        config: curveChart(curve, markers),
        table: tableOf('Precision, recall and F1 by threshold', FIELDS, curve),
      });
      explorer.follow((at) => {
        markers.splice(0, 1, { at, label: '' });
        chart.update();
      });
    },
  });

function curveChart(curve: readonly Row[], markers: readonly Marker[]): ChartConfiguration {
  return {
    type: 'line',
    data: {
      datasets: LINES.map(([label, column, series]) =>
        curveOf(
          label,
          colour(`series-${series}`),
          curve.map((row) => ({ x: number(row, 'threshold') ?? 0, y: number(row, column) })),
        ),
      ),
    },
    options: {
      interaction: { mode: 'index', intersect: false },
      scales: {
        x: { type: 'linear', min: 0, max: 1, title: { display: true, text: 'threshold' } },
        y: { min: 0, max: 1, ticks: shareTicks() },
      },
      plugins: {
        tooltip: tooltipOf((x) => `threshold ${x.toFixed(2)}`, percent),
      },
    },
    plugins: [markersPlugin(markers)],
  } as ChartConfiguration;
}

const FIELDS: readonly Field[] = [
  [numeric('Threshold'), (row) => (number(row, 'threshold') ?? 0).toFixed(2)],
  [numeric('Precision'), (row) => percent(number(row, 'precision_score'))],
  [numeric('Recall'), (row) => percent(number(row, 'recall_score'))],
  [numeric('F1'), (row) => percent(number(row, 'f1_score'))],
  [numeric('False positive rate'), (row) => percent(number(row, 'false_positive_rate'))],
  [numeric('Called positive'), (row) => count(number(row, 'n_predicted_positive'))],
];

type ThresholdExplorer = {
  readonly element: HTMLElement;
  /** Tells the threshold that is shown, now and whenever it changes. */
  follow(listener: (threshold: number) => void): void;
};

/** A slider over thresholds with what each would call: the threshold is part of the address. */
function thresholdExplorer(curve: readonly Row[], month: Row | undefined): ThresholdExplorer {
  const decided = number(month, 'decision_threshold');
  const output = el('div', { class: 'stack', 'aria-live': 'polite' });
  const slider = el('input', { type: 'range', min: 0, max: 0.99, step: 0.01, id: 'threshold-slider' });
  const label = el('label', { for: slider.id });
  const back = el('button', { type: 'button' }, 'As decided');
  let tell: (threshold: number) => void = () => undefined;

  const show = (chosen: number | undefined): void => {
    const at = chosen ?? decided ?? 0.5;
    slider.value = at.toFixed(2);
    label.textContent = chosen === undefined ? asDecided(decided) : `Threshold ${at.toFixed(2)}`;
    back.hidden = chosen === undefined;
    const counts = chosen === undefined ? decidedCounts(month) : countsAt(curve, chosen);
    output.replaceChildren(...(counts === undefined ? [] : [matrixOf(counts), tiles(counts)]));
    tell(at);
  };
  const choose = (threshold: number | undefined): void => {
    navigateTo({ ...here(), threshold }, true);
    show(threshold);
  };
  slider.addEventListener('input', () => choose(Number(slider.value)));
  back.addEventListener('click', () => {
    choose(undefined);
    slider.focus();
  });
  return {
    element: el('div', { class: 'stack' }, output, el('div', {}, label, slider), el('div', {}, back)),
    follow: (listener) => {
      tell = listener;
      show(here().threshold);
    },
  };
}

/** At a tie a model's own label is the first class, where a threshold of 0.5 calls positive. */
function asDecided(threshold: number | null): string {
  return threshold === null ? 'As the model decides' : `Threshold ${threshold.toFixed(2)}, as decided`;
}

/** As it was decided: counted, not read off the curve. */
function decidedCounts(month: Row | undefined): Counts | undefined {
  if (month === undefined) return undefined;
  const of = (column: string): number => number(month, column) ?? 0;
  return {
    hits: of('true_positives'),
    falseAlarms: of('false_positives'),
    misses: of('false_negatives'),
    passes: of('true_negatives'),
  };
}

function tiles(counts: Counts): HTMLElement {
  const { precision, recall, f1, accuracy, called } = ratiosOf(counts);
  const tile = (name: string, value: string): HTMLElement =>
    el('div', { class: 'tile' }, el('span', {}, name), el('strong', {}, value));
  return el(
    'div',
    { class: 'tiles' },
    tile('Precision', percent(precision)),
    tile('Recall', percent(recall)),
    tile('F1', percent(f1)),
    tile('Accuracy', percent(accuracy)),
    tile('Positive', count(called)),
  );
}
