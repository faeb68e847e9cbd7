import { ask, number, text, type Row } from './api.ts';
import { numeric } from './data-table.ts';
import { count, day, decimal } from './format.ts';
import { titleOf } from './metrics.ts';
import { ofVersions, type ModelContext } from './model-context.ts';
import { tablePanel, type Panel } from './panel.ts';
import { comparisonChip } from './verdict.ts';

/** Whether a version is better than the champion and than the one before it. Not shown where nothing was compared. */
export const comparisonPanel = (): Panel<ModelContext> =>
  tablePanel<ModelContext>({
    id: 'comparison',
    title: 'Which version is better',
    about: 'by live predictions, over the labels that judge both; differences with 95 % intervals',
    depends: ({ versions }) => versions,
    load: async (context) => {
      const rows = await ask('comparison', ofVersions(context));
      const once = rows.filter((row, at) => rows.findIndex((other) => keyOf(other) === keyOf(row)) === at);
      return once.some((row) => number(row, 'difference') !== null) ? once : undefined;
    },
    nothing: ['Nothing was compared.'],
    caption: 'Versions against the champion and against the one before',
    columns: [
      'Version',
      'Against',
      'Metric',
      'Verdict',
      ...['Difference', 'Interval', 'Value', 'The other’s', 'Labels'].map(numeric),
      'Predictions for',
    ],
    cells: (row, { task }) => [
      text(row, 'model_version'),
      `${text(row, 'other_version')}, the ${text(row, 'compared_with')}`,
      `${titleOf(task, text(row, 'metric'))}${row['target'] === null ? '' : ` of ${text(row, 'target')}`}`,
      comparisonChip(text(row, 'verdict')),
      decimal(number(row, 'difference')),
      `${decimal(number(row, 'ci_low'))} to ${decimal(number(row, 'ci_high'))}`,
      decimal(number(row, 'value_a')),
      decimal(number(row, 'value_b')),
      count(number(row, 'n_a')),
      `${day(text(row, 'first_date'))} to ${day(text(row, 'last_date'))}`,
    ],
  });

/** The champion can be the version before, too: then it is the same comparison. */
function keyOf(row: Row): string {
  return ['model_version', 'other_version', 'metric', 'target'].map((column) => text(row, column)).join(' ');
}
