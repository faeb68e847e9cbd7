import { el } from './dom.ts';
import { scrollBox } from './scroll-box.ts';

/** A column's head; numbers stand to the right. */
export type Column = string | { readonly head: string; readonly number: true };
export type Cell = string | Node;

export type Table = {
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
};

export function dataTable({ caption, columns, rows }: Table): HTMLElement {
  const classOf = (at: number): string | undefined => (typeof columns[at] === 'string' ? undefined : 'end');
  const head = columns.map((column, at) =>
    el('th', { scope: 'col', class: classOf(at) }, typeof column === 'string' ? column : column.head),
  );
  const lines = rows.map((row) => el('tr', {}, ...row.map((cell, at) => el('td', { class: classOf(at) }, cell))));
  const table = el(
    'table',
    {},
    el('caption', {}, caption),
    el('thead', {}, el('tr', {}, ...head)),
    el('tbody', {}, ...lines),
  );
  return scrollBox(caption, table);
}
