import { ask, number, text, type Row } from './api.ts';
import { modelLink } from './address.ts';
import { dataTable } from './data-table.ts';
import { el } from './dom.ts';
import { count, day, decimal, moment, NOTHING } from './format.ts';
import { panel, type Panel } from './panel.ts';

type Data = { readonly now: readonly Row[]; readonly atRest: readonly Row[]; readonly before: readonly Row[] };

const AT_REST = ['ok', 'insufficient_data'];
const TONES: Readonly<Record<string, string>> = {
  firing: 'bad',
  no_data: 'bad',
  warning: 'warn',
  pending: 'warn',
  ok: 'good',
  resolved: 'good',
};

/** Alerts that want attention; of a model also its rules at rest and what was raised before. Not shown where there are none. */
export const alertsPanel = (model?: string): Panel<undefined> =>
  panel<undefined, Data>({
    id: 'alerts',
    title: 'Alerts',
    depends: () => null,
    load: async () => {
      const [all, before] = await Promise.all([
        ask('alerts'),
        model === undefined ? [] : ask('alert-history', { model }),
      ]);
      const mine = all.filter((row) => model === undefined || row['model_name'] === model);
      const now = mine.filter((row) => !AT_REST.includes(text(row, 'state')));
      const atRest = model === undefined ? [] : mine.filter((row) => !now.includes(row));
      return now.length + atRest.length + before.length === 0 ? undefined : { now, atRest, before };
    },
    draw: (sheet, { now, atRest, before }) => {
      if (now.length > 0) sheet.add(listOf('Alerts that are raised or may be soon', 'state', 'since', now));
      else sheet.say('None is raised.');
      if (atRest.length > 0)
        sheet.add(folded(`${atRest.length} at rest`, listOf('Rules at rest', 'state', 'since', atRest)));
      if (before.length > 0)
        sheet.add(folded('Before', listOf('What was raised and resolved', 'event', 'event_at', before)));
    },
  });

function folded(summary: string, inside: HTMLElement): HTMLElement {
  return el('details', {}, el('summary', {}, summary), inside);
}

function listOf(caption: string, state: string, when: string, rows: readonly Row[]): HTMLElement {
  const numeric = (head: string) => ({ head, number: true as const });
  return dataTable({
    caption,
    columns: ['State', 'Model', 'Alert', 'Of', numeric('Value'), numeric('Bound'), numeric('Rows'), 'Window', 'When'],
    rows: rows.map((row) => [
      el('span', { class: `chip ${TONES[text(row, state)] ?? 'plain'}` }, text(row, state).replaceAll('_', ' ')),
      el('a', { href: modelLink(text(row, 'model_name')) }, nameOf(row)),
      text(row, 'alert'),
      [text(row, 'metric'), text(row, 'column_name')].filter((word) => word !== '').join(' of '),
      decimal(number(row, 'value')),
      boundOf(row),
      count(number(row, 'n')),
      day(text(row, 'window_date')),
      moment(text(row, when) || null),
    ]),
  });
}

function nameOf(row: Row): string {
  const version = number(row, 'model_version');
  return version === null ? text(row, 'model_name') : `${text(row, 'model_name')}@${version}`;
}

function boundOf(row: Row): string {
  const [low, high] = [number(row, 'lower_threshold'), number(row, 'upper_threshold')];
  const bounds = [low === null ? '' : `≥ ${decimal(low)}`, high === null ? '' : `≤ ${decimal(high)}`];
  return bounds.filter((bound) => bound !== '').join(', ') || NOTHING;
}
