import type { GoldenWindow } from './staged.ts';

export type Shown = Record<string, number | string | boolean | null>;

/** What a difference is measured against where a value can come out near 0 by cancellation; elsewhere it is the value. */
const SCALES: Record<string, (golden: GoldenWindow) => number> = {
  mcc: () => 1,
  cohen_kappa: () => 1,
  r2: () => 1,
  explained_variance: () => 1,
  // Where 1 + x rounds.
  msle: () => 1,
  bias: ({ values }) => Number(values?.['mae']),
};
const SKETCHED = ['median_abs_error', 'p90_abs_error', 'max_abs_error'];
/** Metrics of the order of the scores: exact only where no bin holds two scores. */
const RANKING = ['roc_auc', 'roc_auc_ci_low', 'roc_auc_ci_high', 'average_precision', 'ks_of_scores', 'macro_roc_auc'];

function difference(name: string, shown: number, golden: GoldenWindow): number {
  const value = Number(golden.values?.[name]);
  const scale = Math.max(Math.abs(value), SCALES[name]?.(golden) ?? 0);
  return shown === value ? 0 : Math.abs(shown - value) / scale;
}

/** The values of a row of a view that are not the golden ones, as text. */
export function differences(golden: GoldenWindow, shown: Shown): string[] {
  const { one_score_a_bin: oneScoreABin, ...values } = golden.values ?? {};
  return Object.entries(values).flatMap(([name, value]) => {
    if (name.startsWith('class_')) return [];
    if (oneScoreABin === false && RANKING.includes(name) && value !== null) return [];
    const found = shown[name];
    const tolerance = SKETCHED.includes(name) ? 0.01 : 1e-12;
    const same =
      value === null || found === null || found === undefined
        ? value === found
        : difference(name, Number(found), golden) <= tolerance;
    return same ? [] : [`${golden.grain} ${golden.window_date} ${name}: ${String(found)}, and not ${String(value)}`];
  });
}

/** What is wrong with the metrics that come of binned scores: they may be off, within the bounds that the row itself gives. */
export function beyondBounds({ grain, window_date, values }: GoldenWindow, shown: Shown): string[] {
  const slack = 1e-12;
  const number = (name: string): number => Number(shown[name]);
  const exact = (name: string): number => Number(values?.[name]);
  const claims: [string, boolean][] = [];
  if (typeof values?.['roc_auc'] === 'number') {
    const off = Math.abs(number('roc_auc') - exact('roc_auc'));
    claims.push(['roc_auc', off <= number('roc_auc_error_bound') + slack]);
    const [ks, most] = [number('ks_of_scores'), number('ks_of_scores') + number('ks_of_scores_error_bound')];
    claims.push(['ks_of_scores', ks <= exact('ks_of_scores') + slack && exact('ks_of_scores') <= most + slack]);
  }
  if (typeof values?.['macro_roc_auc'] === 'number') {
    const off = Math.abs(number('macro_roc_auc') - exact('macro_roc_auc'));
    claims.push(['macro_roc_auc', off <= number('macro_roc_auc_error_bound') + slack]);
  }
  if (typeof values?.['average_precision'] === 'number') {
    const ap = exact('average_precision');
    const inside = number('average_precision_low') - slack <= ap && ap <= number('average_precision_high') + slack;
    claims.push(['average_precision', inside]);
  }
  return claims.filter(([, holds]) => !holds).map(([name]) => `${grain} ${window_date} ${name} ${String(shown[name])}`);
}
