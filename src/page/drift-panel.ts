import { number, text, type Row, ask } from './api.ts';
import type { Address, Grain } from './address.ts';
import { day, count, decimal } from './format.ts';
import { scrollingTable, scrollBox, numeric } from './data-table.ts';
import { el, navigateTo, here } from './dom.ts';
import { ofVersion, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';

const MOST_WINDOWS = 60;
/** From here on a warning, and an alert, have the deeper of their two colours. */
const DEEP = { warning: 0.175, alert: 0.5 };

type DriftMap = {
  /** First days of the windows. */
  readonly days: readonly string[];
  /** The most drifted first. */
  readonly features: readonly string[];
  readonly at: (feature: string, day: string) => Row | undefined;
};

/** Features by windows, from rows of both. */
export function driftMap(rows: readonly Row[]): DriftMap {
  const days = [...new Set(rows.map((row) => text(row, 'window_date')))].toSorted().slice(-MOST_WINDOWS);
  const cells = new Map(rows.map((row) => [keyOf(text(row, 'feature_name'), text(row, 'window_date')), row]));
  const at = (feature: string, date: string): Row | undefined => cells.get(keyOf(feature, date));
  const weight = (feature: string): number =>
    days.reduce((sum, date) => sum + Math.max(0, levelOf(at(feature, date))), 0);
  const names = [...new Set(rows.map((row) => text(row, 'feature_name')))];
  const features = names.toSorted((one, other) => weight(other) - weight(one) || (one < other ? -1 : 1));
  return { days, features, at };
}

/**
 * How far a feature is off: 0 is what chance gives, 1 more than that and still not much, 2 and 3 a warning, 4 and 5 an
 * alert, as the view says; -1 where too little is known.
 */
export function levelOf(row: Row | undefined): number {
  const psi = number(row, 'psi');
  if (row === undefined || psi === null) return -1;
  if (row['status'] === 'warning') return psi < DEEP.warning ? 2 : 3;
  if (row['status'] === 'alert') return psi < DEEP.alert ? 4 : 5;
  if (row['status'] !== 'ok') return -1;
  return psi <= (number(row, 'psi_noise_limit') ?? 0) ? 0 : 1;
}

/** The cell that is looked at: the one of the address, else the newest with enough rows of the most drifted feature. */
export function chosenCell(
  { days, features, at }: DriftMap,
  address: Address,
): { readonly feature: string; readonly day: string } | undefined {
  const feature = features.find((name) => name === address.feature) ?? features[0];
  if (feature === undefined) return undefined;
  const newest = days.findLast((date) => levelOf(at(feature, date)) >= 0);
  const date = days.find((one) => one === address.day) ?? newest ?? days.at(-1);
  return date === undefined ? undefined : { feature, day: date };
}

export function windowName(grain: Grain, date: string): string {
  return grain === 'week' ? `week of ${day(date)}` : day(date, grain === 'month');
}

function keyOf(feature: string, date: string): string {
  return JSON.stringify([feature, date]);
}

/** The colours and what they mean, in order. */
const MEANINGS = [
  ['h0', 'ok, what chance gives'],
  ['h1', 'ok, more than chance gives'],
  ['h2', 'warning'],
  ['h3', `warning, from ${DEEP.warning} on`],
  ['h4', 'alert'],
  ['h5', `alert, from ${DEEP.alert} on`],
  ['', 'too few rows to tell, or none'],
] as const;

/** Which features have left their baseline, and when. Not shown where drift is not measured. */
export const driftPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'drift',
    title: 'Drift of features',
    about: 'against the baseline; choose a cell to see the feature',
    depends: ({ focus, address }) => [focus, address.grain, address.feature, address.day],
    load: async (context) => {
      const rows = await ask(`drift-${context.address.grain}`, ofVersion(context));
      return rows.length === 0 ? undefined : rows;
    },
    draw: (body, rows, { address }) => {
      const map = driftMap(rows);
      const box = scrollBox('Drift by feature and time', heatMap(map, address.grain, chosenCell(map, address)));
      const span = [map.days[0], map.days.at(-1)].map((date) => day(date, address.grain === 'month')).join(' to ');
      const colours = MEANINGS.map(([level, meaning]) => el('span', {}, el('i', { class: level }), meaning));
      if (!rows.some((row) => levelOf(row) >= 0)) body.say(tooFew(address.grain));
      body.add(
        box,
        el('p', { class: 'quiet' }, `By ${address.grain}, ${span}: population stability index (PSI), lower is closer.`),
        el('p', { class: 'quiet heat-legend' }, ...colours),
        el('details', {}, el('summary', {}, 'The numbers'), tableOf(rows, address.grain)),
      );
      // The newest windows are at the right.
      requestAnimationFrame(() => box.querySelector('.scroll')?.scrollTo({ left: Number.MAX_SAFE_INTEGER }));
    },
  });

function tooFew(grain: Grain): string {
  const longer = { day: ' Look by week or month.', week: ' Look by month.', month: '' };
  return `No ${grain} has enough rows to tell: 200, and 20 for each bin.${longer[grain]}`;
}

type Cell = { readonly feature: string; readonly day: string } | undefined;

function heatMap({ days, features, at }: DriftMap, grain: Grain, chosen: Cell): HTMLElement {
  const rows = features.map((feature) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row', title: feature }, feature),
      ...days.map((date) => {
        const pressed = feature === chosen?.feature && date === chosen.day;
        return el('td', {}, cell({ feature, day: date }, grain, at(feature, date), pressed));
      }),
    ),
  );
  const dates = days.map((date) => el('td', { class: 'date' }, dateAbove(grain, date)));
  const years = days.map((date, at) =>
    el('td', { class: 'date' }, yearAbove(date, days.slice(Math.max(0, at - 3), at))),
  );
  const head = el(
    'thead',
    { 'aria-hidden': 'true' },
    grain === 'month' && el('tr', {}, el('td'), ...years),
    el('tr', {}, el('td'), ...dates),
  );
  const table = el('table', { class: `heat by-${grain}` }, head, el('tbody', {}, ...rows));
  table.addEventListener('keydown', moveByArrows);
  return table;
}

/** Where a year begins, and again in July, as a narrow window shows seven months; not within three months of the first. */
function yearAbove(date: string, before: readonly string[]): string | false {
  const year = date.slice(0, 4);
  const isFirst = before.at(-1)?.slice(0, 4) !== year;
  return (isFirst || (date.slice(5, 7) === '07' && before.length === 3)) && year;
}

/** Every month, the first week of each, the 1st and 15th are named above the map. */
function dateAbove(grain: Grain, date: string): string | false {
  if (grain === 'day') return /-(?:01|15)$/.test(date) && day(date);
  if (grain === 'week') return Number(date.slice(-2)) <= 7 && day(date, true);
  return day(date, true).slice(0, -5);
}

function cell(of: NonNullable<Cell>, grain: Grain, row: Row | undefined, pressed: boolean): HTMLElement {
  const level = levelOf(row);
  const psi = number(row, 'psi');
  const status = text(row, 'status').replaceAll('_', ' ');
  const said = psi === null ? 'not known' : `PSI ${decimal(psi)}, ${status}`;
  const name = `${of.feature}, ${windowName(grain, of.day)}: ${said}`;
  return el('button', {
    type: 'button',
    class: level < 0 ? undefined : `h${level}`,
    title: name,
    'aria-label': name,
    'aria-pressed': String(pressed),
    tabindex: pressed ? 0 : -1,
    'data-key': `drift ${of.feature} ${of.day}`,
    onclick: () => navigateTo({ ...here(), ...of }),
  });
}

const STEPS: Readonly<Record<string, readonly [down: number, right: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** One cell can be reached by Tab, the others from there by arrows. */
function moveByArrows(this: HTMLTableElement, event: KeyboardEvent): void {
  const step = STEPS[event.key];
  const cell = event.target instanceof HTMLElement ? event.target.closest('td') : null;
  if (step === undefined || cell === null) return;
  const row = this.rows[(cell.closest('tr')?.rowIndex ?? 0) + step[0]];
  const next = row?.cells[cell.cellIndex + step[1]]?.querySelector('button');
  event.preventDefault();
  next?.focus();
}

function tableOf(rows: readonly Row[], grain: Grain): HTMLElement {
  return scrollingTable({
    caption: `Population stability index by feature and ${grain}`,
    columns: ['From', 'Feature', numeric('Rows'), numeric('PSI'), numeric('Noise limit'), 'Status'],
    rows: rows.map((row) => [
      day(text(row, 'window_date'), grain === 'month'),
      text(row, 'feature_name'),
      count(number(row, 'n')),
      decimal(number(row, 'psi')),
      decimal(number(row, 'psi_noise_limit')),
      text(row, 'status').replaceAll('_', ' '),
    ]),
  });
}
