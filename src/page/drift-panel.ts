import { goTo, here } from './go-to.ts';
import { ask, number, text, type Row } from './api.ts';
import { dataTable } from './data-table.ts';
import { driftMap, levelOf, type DriftMap } from './drift-map.ts';
import { el } from './dom.ts';
import { count, day, decimal } from './format.ts';
import { ofVersion, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';

/** Days that are named above the map. */
const FIRSTS = /-(?:01|15)$/;

/** Which features have left their baseline, and when. Not shown where drift is not measured. */
export const driftPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'drift',
    title: 'Drift of features',
    about: 'against the baseline; choose a cell to see the feature',
    depends: ({ address, focus }) => [focus, address.feature, address.day],
    load: async (context) => {
      const rows = await ask('drift', ofVersion(context));
      return rows.length === 0 ? undefined : rows;
    },
    draw: (sheet, rows, { address }) => {
      const map = driftMap(rows);
      const chosen = { feature: address.feature ?? map.features[0], day: address.day ?? map.days.at(-1) };
      const scroll = { class: 'scroll', role: 'region', 'aria-label': 'Drift by feature and day', tabindex: 0 };
      const box = el('div', scroll, heatMap(map, chosen));
      sheet.add(
        box,
        el(
          'p',
          { class: 'quiet' },
          `${day(map.days[0])} to ${day(map.days.at(-1))}. Green is what chance alone gives; grey is too few rows to tell.`,
        ),
        el('details', {}, el('summary', {}, 'The numbers'), tableOf(rows)),
      );
      // The newest days are at the right.
      requestAnimationFrame(() => box.scrollTo({ left: box.scrollWidth }));
    },
  });

function heatMap(
  { days, features, at }: DriftMap,
  chosen: { feature: string | undefined; day: string | undefined },
): HTMLElement {
  const rows = features.map((feature) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, feature),
      ...days.map((date) =>
        el('td', {}, cell(feature, date, at(feature, date), feature === chosen.feature && date === chosen.day)),
      ),
    ),
  );
  const dates = days.map((date) => el('td', { class: 'date' }, FIRSTS.test(date) && day(date).slice(0, -5)));
  const head = el('thead', { 'aria-hidden': 'true' }, el('tr', {}, el('td'), ...dates));
  const table = el('table', { class: 'heat' }, head, el('tbody', {}, ...rows));
  table.addEventListener('keydown', moveByArrows);
  return table;
}

function cell(feature: string, date: string, row: Row | undefined, pressed: boolean): HTMLElement {
  const level = levelOf(row);
  const psi = number(row, 'psi');
  const name = `${feature}, ${day(date)}: ${psi === null ? 'not known' : `PSI ${decimal(psi)}`}`;
  return el('button', {
    type: 'button',
    class: level < 0 ? undefined : `h${level}`,
    title: name,
    'aria-label': name,
    'aria-pressed': String(pressed),
    tabindex: pressed ? 0 : -1,
    'data-key': `drift ${feature} ${date}`,
    onclick: () => goTo({ ...here(), feature, day: date }),
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

function tableOf(rows: readonly Row[]): HTMLElement {
  return dataTable({
    caption: 'Population stability index by feature and day',
    columns: [
      'Day',
      'Feature',
      { head: 'Rows', number: true },
      { head: 'PSI', number: true },
      { head: 'Noise limit', number: true },
      'Status',
    ],
    rows: rows.map((row) => [
      day(text(row, 'window_date')),
      text(row, 'feature_name'),
      count(number(row, 'n')),
      decimal(number(row, 'psi')),
      decimal(number(row, 'psi_noise_limit')),
      text(row, 'status').replaceAll('_', ' '),
    ]),
  });
}
