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

/** A box that scrolls, and shows at its edges where more is hidden; `label` is for whoever does not see it. */
export function scrollBox(label: string | undefined, content: HTMLElement, kind = ''): HTMLElement {
  const named = label === undefined ? {} : { role: 'region', 'aria-label': label };
  const inner = el('div', { class: `scroll ${kind}`.trim(), tabindex: 0, ...named }, content);
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
  // It is told of the first layout, too, and of that of a table in <details> that is opened.
  new ResizeObserver(mark).observe(inner);
  return el('div', { class: 'scroll-box' }, frame, cue);
}
