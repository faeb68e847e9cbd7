import { drawChart, type ChartConfiguration } from './chart.ts';
import { el } from './dom.ts';
import { scrollingTable, type Table } from './data-table.ts';

export type Plot = {
  /** What it shows, for whoever does not see it. */
  readonly label: string;
  readonly config: ChartConfiguration;
  /** Its numbers. */
  readonly table: Table;
  readonly size?: 'low' | 'tall';
};

type Drawn = ReturnType<typeof drawChart>;

/** The inside of a panel: what was put there, and the charts that must go with it. */
export class PanelBody {
  readonly element = el('div', { class: 'body' });
  #charts: Drawn[] = [];

  add(...nodes: Node[]): void {
    this.element.append(...nodes);
  }

  say(text: string): void {
    this.add(el('p', { class: 'quiet' }, text));
  }

  /** Nothing to see yet; `sql` is what would change that. */
  empty(text: string, sql?: string): void {
    this.add(el('div', { class: 'empty' }, el('p', {}, text), sql !== undefined && el('pre', {}, sql)));
  }

  /** A plot with its numbers beneath, in a table that opens. Returns the chart, for plots that follow a control. */
  plot({ label, config, table, size }: Plot): Drawn {
    const canvas = el('canvas', { role: 'img', 'aria-label': label });
    const box = el('div', { class: size === undefined ? 'canvas' : `canvas ${size}` }, canvas);
    this.add(el('figure', {}, box, el('details', {}, el('summary', {}, 'The numbers'), scrollingTable(table))));
    const chart = drawChart(canvas, config);
    this.#charts.push(chart);
    return chart;
  }

  /** Draws anew, and leaves open, scrolled and focused what was. */
  redraw(draw: () => void): void {
    const before = this.#looks();
    this.clear();
    draw();
    const after = this.#looks();
    for (const [at, details] of after.details.entries()) details.open ||= before.open[at] === true;
    for (const [at, button] of after.buttons.entries()) if (before.expanded[at] === true) button.click();
    for (const [at, box] of after.boxes.entries()) box.scrollTo(before.scrolled[at] ?? {});
    if (before.focused >= 0) after.focusable[before.focused]?.focus({ preventScroll: true });
  }

  #looks() {
    const details = [...this.element.querySelectorAll('details')];
    const buttons = [...this.element.querySelectorAll<HTMLElement>('button[aria-expanded]')];
    const boxes = [...this.element.querySelectorAll('.scroll')];
    const focusable = [...this.element.querySelectorAll<HTMLElement>('a, button, summary, [tabindex]')];
    return {
      details,
      buttons,
      boxes,
      focusable,
      open: details.map(({ open }) => open),
      expanded: buttons.map((button) => button.getAttribute('aria-expanded') === 'true'),
      scrolled: boxes.map(({ scrollLeft: left, scrollTop: top }) => ({ left, top })),
      focused: focusable.findIndex((element) => element === document.activeElement),
    };
  }

  clear(): void {
    for (const chart of this.#charts) chart.destroy();
    this.#charts = [];
    this.element.replaceChildren();
  }
}
