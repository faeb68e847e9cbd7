import { el } from './dom.ts';
import { count, percent } from './format.ts';
import { scrollBox } from './data-table.ts';
import type { Counts } from './threshold-counts.ts';

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
export function confusionMatrix(
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
