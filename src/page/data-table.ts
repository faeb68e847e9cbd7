import type { Row } from './api.ts';
import { el } from './dom.ts';

/** A column's head; numbers stand to the right. */
export type Column = string | { readonly head: string; readonly number: true };

export const numeric = (head: string): Column => ({ head, number: true });

export type Cell = string | Node;

export type Table = {
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
};

/** A column, and what it shows of a row. */
export type Field = readonly [column: Column, cell: (row: Row) => Cell];

export const tableOf = (caption: string, fields: readonly Field[], rows: readonly Row[]): Table => ({
  caption,
  columns: fields.map(([column]) => column),
  rows: rows.map((row) => fields.map(([, cell]) => cell(row))),
});

/** So many rows of cards are shown before somebody asks for the rest. */
const FIRST_ROWS = 10;

/** The numbers of a plot: a table that scrolls in its box. */
export function scrollingTable(table: Table): HTMLElement {
  return scrollBox(table.caption, tableElement(table));
}

/** A table that stands by itself: its rows are cards on a phone, and a button shows all of many. */
export function cardTable(table: Table): HTMLElement {
  const element = tableElement(table);
  element.classList.add('stacks');
  const box = scrollBox(table.caption, element, 'free');
  const rest = [...element.querySelectorAll('tbody tr')].slice(FIRST_ROWS);
  // One row more takes no more room than a button.
  if (rest.length < 2) return box;
  const show = (isOpen: boolean): void => {
    for (const row of rest) row.toggleAttribute('hidden', !isOpen);
    button.textContent = isOpen ? 'Show fewer' : `Show all ${table.rows.length} rows`;
    button.setAttribute('aria-expanded', String(isOpen));
  };
  const toggle = (): void => show(button.getAttribute('aria-expanded') !== 'true');
  const button = el('button', { type: 'button', class: 'link more', onclick: toggle });
  show(false);
  return el('div', {}, box, button);
}

/** With roles: where a page lays the rows out as cards, a browser takes those of a table away. */
function tableElement({ caption, columns, rows }: Table): HTMLElement {
  const heads = columns.map((column) => (typeof column === 'string' ? column : column.head));
  const classOf = (at: number): string | undefined => (typeof columns[at] === 'string' ? undefined : 'end');
  const head = heads.map((words, at) => el('th', { scope: 'col', role: 'columnheader', class: classOf(at) }, words));
  const lineOf = (row: readonly Cell[]): HTMLElement =>
    el(
      'tr',
      { role: 'row' },
      ...row.map((cell, at) => el('td', { role: 'cell', class: classOf(at), 'data-head': heads[at] ?? '' }, cell)),
    );
  return el(
    'table',
    { role: 'table' },
    el('caption', {}, caption),
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...head)),
    el('tbody', { role: 'rowgroup' }, ...rows.map(lineOf)),
  );
}

/** A box that scrolls, and shows at its edges where more is hidden; `label` is for whoever does not see it. */
export function scrollBox(label: string, content: HTMLElement, kind = ''): HTMLElement {
  const inner = el(
    'div',
    { class: `scroll ${kind}`.trim(), tabindex: 0, role: 'region', 'aria-label': label },
    content,
  );
  const frame = el('div', { class: 'scroll-frame' }, inner);
  const cue = el('p', { class: 'sideways', 'aria-hidden': 'true' }, 'Scroll sideways for more');
  const mark = (): void => {
    const { scrollLeft, scrollTop, clientWidth, clientHeight, scrollWidth, scrollHeight } = inner;
    const hidden = [
      scrollLeft > 1 && 'left',
      scrollLeft + clientWidth < scrollWidth - 1 && 'right',
      scrollTop + clientHeight < scrollHeight - 1 && 'down',
    ];
    frame.dataset['more'] = hidden.filter((side) => side !== false).join(' ');
  };
  inner.addEventListener('scroll', mark, { passive: true });
  // It is called for the first layout, too, and for that of a table in <details> that is opened.
  new ResizeObserver(mark).observe(inner);
  return el('div', { class: 'scroll-box' }, frame, cue);
}
