import { Refusal, type Row } from './api.ts';
import { cardTable, tableOf, type Field, scrollingTable, type Table } from './data-table.ts';
import { el } from './dom.ts';
import { scheme } from './theme.ts';
import type { Address } from './address.ts';
import { drawChart, type ChartConfiguration } from './chart.ts';

/** One card of the page: what it asks for and how it shows the answer. */
type PanelSpec<Context, Data> = {
  readonly id: string;
  readonly title: string;
  readonly about?: string;
  /** Without a frame, because it holds cards itself. */
  readonly bare?: true;
  /** What of the context the drawing goes by; unless given, all but the address. */
  readonly depends?: (context: Context) => unknown;
  /** undefined: the panel has nothing to say here, and is not shown. */
  readonly load: (context: Context) => Promise<Data | undefined>;
  readonly draw: (body: PanelBody, data: Data, context: Context) => void;
};

export type Panel<Context> = {
  readonly element: HTMLElement;
  /** Asks again, and draws anew only what has changed. */
  refresh(context: Context): Promise<void>;
  close(): void;
};

/** Makes a panel. Its answer to an older question never overwrites the one to a newer. */
export function panel<Context, Data>({
  id,
  title,
  about,
  bare,
  depends = allButAddress,
  load,
  draw,
}: PanelSpec<Context, Data>): Panel<Context> {
  const body = new PanelBody();
  const head = el(
    'header',
    {},
    el('h2', { id: `${id}-title` }, title),
    about !== undefined && el('p', { class: 'quiet' }, about),
  );
  const element = el(
    'section',
    { id, class: bare === true ? 'bare' : 'card', 'aria-labelledby': `${id}-title`, hidden: true },
    head,
    body.element,
  );
  let asked: string | undefined;
  let shown = '';
  let turn = 0;
  const refresh = async (context: Context): Promise<void> => {
    turn += 1;
    const mine = turn;
    const asks = JSON.stringify(depends(context)) ?? '';
    if (asked === undefined) {
      element.hidden = false;
      body.say('Loading …');
    }
    // What is asked again from time to time is not worth a word.
    if (asks !== asked) element.setAttribute('aria-busy', 'true');
    asked = asks;
    const answer = await loaded(() => load(context));
    if (mine !== turn) return;
    element.removeAttribute('aria-busy');
    element.hidden = answer instanceof Refusal ? false : answer === undefined;
    const fingerprint = JSON.stringify([
      answer instanceof Refusal ? answer.message : answer,
      depends(context),
      scheme(),
    ]);
    if (fingerprint === shown) return;
    shown = fingerprint;
    body.redraw(() => {
      if (answer instanceof Refusal) body.add(el('p', { class: 'error', role: 'alert' }, answer.message));
      else if (answer !== undefined) draw(body, answer, context);
    });
  };
  return { element, refresh, close: () => body.clear() };
}

type RowsSpec<Context> = Omit<PanelSpec<Context, readonly Row[]>, 'draw'> & {
  /** Shown where there are no rows: a sentence, and the SQL that would change that. Without it the panel is not shown. */
  readonly nothing?: readonly [text: string, sql?: string];
};

/** A panel that is one table, a line for each row of the answer. */
export function tablePanel<Context>({
  caption,
  fields,
  ...spec
}: RowsSpec<Context> & {
  readonly caption: string;
  readonly fields: (context: Context) => readonly Field[];
}): Panel<Context> {
  return rowsPanel(spec, (body, rows, context) => body.add(cardTable(tableOf(caption, fields(context), rows))));
}

/** A panel that is one chart, with a sentence above or below it. */
export function chartPanel<Context>({
  above,
  plot,
  below,
  ...spec
}: RowsSpec<Context> & {
  readonly above?: (rows: readonly Row[], context: Context) => string;
  readonly plot: (rows: readonly Row[], context: Context) => Plot;
  readonly below?: (rows: readonly Row[]) => string;
}): Panel<Context> {
  return rowsPanel(spec, (body, rows, context) => {
    if (above !== undefined) body.say(above(rows, context));
    body.plot(plot(rows, context));
    if (below !== undefined) body.say(below(rows));
  });
}

function rowsPanel<Context>(
  { nothing, load, ...spec }: RowsSpec<Context>,
  draw: (body: PanelBody, rows: readonly Row[], context: Context) => void,
): Panel<Context> {
  return panel<Context, readonly Row[]>({
    ...spec,
    load: async (context) => {
      const rows = await load(context);
      return rows?.length === 0 && nothing === undefined ? undefined : rows;
    },
    draw: (body, rows, context) => {
      if (rows.length > 0 || nothing === undefined) return draw(body, rows, context);
      const [words, sql] = nothing;
      if (sql === undefined) body.say(words);
      else body.empty(words, sql);
    },
  });
}

function allButAddress(context: unknown): unknown {
  return typeof context === 'object' ? { ...context, address: undefined, health: undefined } : context;
}

async function loaded<Data>(load: () => Promise<Data>): Promise<Data | Refusal> {
  try {
    return await load();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** One of the screens: it stands in the page until the address leads to another. */
export type View = {
  readonly element: HTMLElement;
  readonly title: string;
  /** Brings everything up to date; panels that did not change are left alone. */
  refresh(address: Address): Promise<void>;
  /** Brings what goes on just now up to date. */
  refreshRuns(): Promise<void>;
  refreshWatches(): Promise<void>;
  close(): void;
};

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
