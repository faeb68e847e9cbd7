import { number, text, type Row } from './api.ts';
import type { ModelContext } from './model-context.ts';
import { colour } from './theme.ts';
import type { Series } from './time-plot.ts';

/** Where the alerts about a metric begin, as lines over these windows. */
export function alertBounds(
  rules: readonly Row[],
  { model, address }: ModelContext,
  metric: string,
  dates: readonly string[],
): Series[] {
  const about = rules.filter(
    (rule) => rule['model_name'] === model && rule['metric'] === metric && rule['grain'] === address.grain,
  );
  return about.flatMap((rule) =>
    (['below', 'above'] as const).flatMap((direction) => {
      const bound = boundOf(rule, direction);
      if (bound === null) return [];
      const points = dates.map((date) => ({ date, value: bound }));
      const label = `alert ${direction}: ${text(rule, 'alert')}`;
      return [{ label, colour: colour('bad'), dashed: true, bare: true, points }];
    }),
  );
}

/** As it was at the last look; a rule that had nothing to look at has the threshold that it was given, if any. */
function boundOf(rule: Row, direction: 'below' | 'above'): number | null {
  const looked = number(rule, direction === 'below' ? 'lower_threshold' : 'upper_threshold');
  return looked ?? (rule['direction'] === direction ? number(rule, 'threshold') : null);
}
