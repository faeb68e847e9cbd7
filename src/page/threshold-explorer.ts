import { number, type Row } from './api.ts';
import { matrixOf } from './confusion-matrix.ts';
import { el } from './dom.ts';
import { count, percent } from './format.ts';
import { goTo, here } from './navigate.ts';
import { countsAt, ratiosOf, type Counts } from './threshold-counts.ts';

export type ThresholdExplorer = {
  readonly element: HTMLElement;
  /** Tells the threshold that is shown, now and whenever it changes. */
  follow(listener: (threshold: number) => void): void;
};

/** A slider over thresholds with what each would call: the threshold is part of the address. */
export function thresholdExplorer(curve: readonly Row[], month: Row | undefined): ThresholdExplorer {
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
    goTo({ ...here(), threshold }, true);
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
