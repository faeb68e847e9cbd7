import { ask, number, text, type Row } from './api.ts';
import { cardTable, numeric, type Cell } from './data-table.ts';
import { el, here, navigateTo } from './dom.ts';
import { count, day, decimal, percent } from './format.ts';
import { ofMonth, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';

type Data = { readonly rows: readonly Row[]; readonly all: Row | undefined };
type Column = readonly [head: string, cell: (row: Row) => string];

const REGRESSION: readonly Column[] = [
  ['Mean absolute error', (row) => decimal(number(row, 'mae'))],
  ['Interval', (row) => `${decimal(number(row, 'mae_ci_low'))} to ${decimal(number(row, 'mae_ci_high'))}`],
  ['RMSE', (row) => decimal(number(row, 'rmse'))],
  ['R²', (row) => decimal(number(row, 'r2'))],
];
const QUANTILE: readonly Column[] = [
  ['Should cover', (row) => percent(number(row, 'quantile'))],
  ['Covers', (row) => percent(number(row, 'coverage'))],
  ['Interval', (row) => `${percent(number(row, 'coverage_ci_low'))} to ${percent(number(row, 'coverage_ci_high'))}`],
  ['Pinball loss', (row) => decimal(number(row, 'pinball_loss'))],
];
const BINARY: readonly Column[] = [
  ['Accuracy', (row) => percent(number(row, 'accuracy'))],
  ['Interval', (row) => `${percent(number(row, 'accuracy_ci_low'))} to ${percent(number(row, 'accuracy_ci_high'))}`],
  ['Precision', (row) => percent(number(row, 'precision_score'))],
  ['Recall', (row) => percent(number(row, 'recall_score'))],
  ['F1', (row) => percent(number(row, 'f1_score'))],
  ['ROC AUC', (row) => decimal(number(row, 'roc_auc'))],
];

/** All values of a row side by side, in a month; one is chosen by its name. Not shown of a model that gives one value. */
export const targetsPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'targets',
    title: 'Targets',
    about: 'each value of a row is judged by itself; choose one to see it over time',
    depends: ({ focus, month, target, targets }) => [focus, month, target, targets],
    load: async (context) => {
      const values = ofMonth(context);
      if (context.targets.length === 0 || context.task === 'multiclass' || values === undefined) return undefined;
      const [rows, all] = await Promise.all([
        ask(`targets-${context.task}`, values),
        context.task === 'binary' ? ask('subset-accuracy', values) : [],
      ]);
      return { rows, all: all[0] };
    },
    draw: (body, { rows, all }, context) => {
      const columns = columnsOf(context, rows);
      const ordered = context.targets.flatMap((name) => rows.filter((row) => row['target'] === name));
      body.add(
        cardTable({
          caption: `Version ${context.focus} in ${day(context.month, true)}`,
          columns: ['Target', numeric('Labels'), ...columns.map(([head]) => numeric(head))],
          rows: ordered.map((row): Cell[] => [
            nameOf(text(row, 'target'), context.target),
            count(number(row, 'n_labeled')),
            ...columns.map(([, cell]) => cell(row)),
          ]),
        }),
      );
      const right = number(all, 'subset_accuracy');
      if (right === null) return;
      const bounds = ['low', 'high'].map((end) => percent(number(all, `subset_accuracy_ci_${end}`)));
      body.say(`All labels of a row were right in ${percent(right)} of rows (${bounds.join(' to ')} with 95 %).`);
    },
  });

function columnsOf({ task }: ModelContext, rows: readonly Row[]): readonly Column[] {
  if (task === 'binary') return BINARY;
  return rows.some((row) => row['quantile'] !== null) ? QUANTILE : REGRESSION;
}

function nameOf(name: string, chosen: string | undefined): HTMLElement {
  const go = (): void => navigateTo({ ...here(), target: name, metric: undefined });
  const attributes = { type: 'button', class: 'link', 'aria-pressed': String(name === chosen), onclick: go };
  return el('button', { ...attributes, 'data-key': `target ${name}` }, name);
}
