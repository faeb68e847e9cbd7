import { ask, number, text, type Row } from './api.ts';
import { cardTable, numeric, scrollBox } from './data-table.ts';
import { count, percent } from './format.ts';
import type { ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';
import { decidingVersion, ofDecidingVersion, versionToggle } from './controls.ts';
import { el } from './dom.ts';
import type { Counts } from './model-metrics.ts';

type Data = { readonly cells: readonly Row[]; readonly classes: readonly Row[] };

/** More are no picture any more. */
const MOST_CLASSES = 12;

/** What a classifier of three or more classes confuses. */
export const classesPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Data>({
    id: 'classes',
    title: 'Classes',
    about: 'what was said, by what was true',
    depends: (context) => [context.focus, decidingVersion(context)],
    load: async (context) => {
      const values = ofDecidingVersion(context);
      if (context.task !== 'multiclass' || values === undefined) return undefined;
      const [cells, classes] = await Promise.all([ask('confusion', values), ask('classes', values)]);
      return { cells, classes };
    },
    draw: (body, { cells, classes }, context) => {
      body.add(...versionToggle(context));
      if (cells.length === 0) return body.say('No labels in this month.');
      const names = classes.map((row) => text(row, 'class_label'));
      const numbers = new Map(
        cells.map((row) => [keyOf(text(row, 'actual_class'), text(row, 'predicted_class')), number(row, 'n') ?? 0]),
      );
      if (names.length <= MOST_CLASSES)
        body.add(
          confusionMatrix(
            'Rows are what was true, columns what was called',
            names,
            (actual, said) => numbers.get(keyOf(actual, said)) ?? 0,
          ),
        );
      body.add(
        cardTable({
          caption: 'By class',
          columns: ['Class', ...['Were', 'Called', 'Precision', 'Recall', 'F1'].map(numeric)],
          rows: classes.map((row) => [
            text(row, 'class_label'),
            count(number(row, 'support')),
            count(number(row, 'n_predicted')),
            percent(number(row, 'precision_score')),
            percent(number(row, 'recall_score')),
            percent(number(row, 'f1_score')),
          ]),
        }),
      );
    },
  });

function keyOf(actual: string, said: string): string {
  return JSON.stringify([actual, said]);
}

/** The four cells of a binary classifier: rows are what was true, columns what was said. */
export function matrixOf({ hits, falseAlarms, misses, passes }: Counts): HTMLElement {
  return confusionMatrix(
    'Rows are what was true, columns what was called',
    ['positive', 'negative'],
    (actual, said) => {
      if (actual === 'positive') return said === 'positive' ? hits : misses;
      return said === 'positive' ? falseAlarms : passes;
    },
  );
}

/** Counts and shares of each row; right ones in one colour, wrong ones in another. */
function confusionMatrix(
  caption: string,
  classes: readonly string[],
  countOf: (actual: string, said: string) => number,
): HTMLElement {
  const head = el('tr', {}, el('td'), ...classes.map((said) => el('th', { scope: 'col' }, `called ${said}`)));
  const rows = classes.map((actual) => {
    const total = classes.reduce((sum, said) => sum + countOf(actual, said), 0);
    return el(
      'tr',
      {},
      el('th', { scope: 'row' }, `was ${actual}`),
      ...classes.map((said) => el('td', {}, cell(countOf(actual, said), total, said === actual))),
    );
  });
  const table = el(
    'table',
    { class: 'matrix' },
    el('caption', {}, caption),
    el('thead', {}, head),
    el('tbody', {}, ...rows),
  );
  return scrollBox(caption, table, 'free');
}

function cell(n: number, total: number, right: boolean): HTMLElement {
  const kind = n === 0 ? 'cell' : `cell ${right ? 'hit' : 'miss'}`;
  return el(
    'div',
    { class: kind },
    el('strong', { class: 'num' }, count(n)),
    el('small', {}, percent(total === 0 ? null : n / total)),
  );
}
