import { goTo, readAddress } from './address.ts';
import { askIfThere, number, text, type Row } from './api.ts';
import { dataTable } from './data-table.ts';
import { driftMap, levelOf, type DriftMap } from './drift-map.ts';
import { el } from './dom.ts';
import { count, day, decimal } from './format.ts';
import { ofVersion, type ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';

/** Which features have left their baseline, and when. Not shown where drift is not measured. */
export const driftPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'drift',
    title: 'Drift of features',
    about: 'against the baseline; choose a cell to see the feature',
    depends: ({ address, focus }) => [focus, address.feature, address.day],
    load: async (context) => {
      const rows = await askIfThere('drift', ofVersion(context));
      return rows.length === 0 ? undefined : rows;
    },
    draw: (sheet, rows, { address }) => {
      const map = driftMap(rows);
      const chosen = { feature: address.feature ?? map.features[0], day: address.day ?? map.days.at(-1) };
      sheet.add(
        el('div', { class: 'scroll', role: 'region', 'aria-label': 'Drift by feature and day', tabindex: 0 }, heatMap(map, chosen)),
        el('p', { class: 'quiet' }, `${day(map.days[0])} to ${day(map.days.at(-1))}. Green is what chance alone gives; grey is too few rows to tell.`),
        el('details', {}, el('summary', {}, 'The numbers'), tableOf(rows)),
      );
    },
  });

function heatMap({ days, features, at }: DriftMap, chosen: { feature: string | undefined; day: string | undefined }): HTMLElement {
  const rows = features.map((feature) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, feature),
      ...days.map((date) => el('td', {}, cell(feature, date, at(feature, date), feature === chosen.feature && date === chosen.day))),
    ),
  );
  const table = el('table', { class: 'heat' }, el('tbody', {}, ...rows));
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
    onclick: () => goTo({ ...readAddress(location.hash), feature, day: date }),
  });
}

/** One cell can be reached by Tab, the others from there by arrows. */
function moveByArrows(event: KeyboardEvent): void {
  const from = event.target;
  const steps: Record<string, [down: number, right: number]> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const step = steps[event.key];
  if (step === undefined || !(from instanceof HTMLElement)) return;
  const td = from.closest('td');
  const tr = from.closest('tr');
  const rows = [...(tr?.parentElement?.children ?? [])];
  const row = rows[rows.indexOf(tr ?? from) + step[0]];
  const place = [...(tr?.children ?? [])].indexOf(td ?? from) + step[1];
  const next = row?.children[place]?.querySelector('button');
  if (next === undefined || next === null) return;
  event.preventDefault();
  next.focus();
}

function tableOf(rows: readonly Row[]): HTMLElement {
  return dataTable({
    caption: 'Population stability index by feature and day',
    columns: ['Day', 'Feature', { head: 'Rows', number: true }, { head: 'PSI', number: true }, { head: 'Noise limit', number: true }, 'Status'],
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
