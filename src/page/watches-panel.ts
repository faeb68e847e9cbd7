import { ask, number, text, type Row } from './api.ts';
import { modelLink } from './address.ts';
import { numeric } from './data-table.ts';
import { el } from './dom.ts';
import { count, duration } from './format.ts';
import { tablePanel, type Panel } from './panel.ts';

const TONES: Readonly<Record<string, string>> = {
  following: 'good',
  failing: 'bad',
  paused: 'plain',
  standby: 'plain',
};

/** What is scored as it changes, of one model or of all, and how late. Not shown where nothing is watched. */
export const watchesPanel = (model?: string): Panel<undefined> =>
  tablePanel<undefined>({
    id: 'watches',
    title: 'Watches',
    about: 'rows that are scored as they change',
    depends: () => null,
    load: async () => {
      const rows = (await ask('watches')).filter((row) => model === undefined || modelOf(row) === model);
      return rows.length === 0 ? undefined : rows;
    },
    nothing: ['Nothing is watched.'],
    caption: 'Watches, those that fail first',
    columns: [
      'Target',
      'State',
      ...['Scored', 'Pending', 'Oldest', 'Delay p50', 'Delay p95'].map(numeric),
      'Model',
      'Source',
      'Capture',
    ],
    cells: (row) => [
      text(row, 'target'),
      stateOf(row),
      count(number(row, 'rows_scored')),
      count(number(row, 'pending')),
      ...['oldest_seconds', 'delay_p50_seconds', 'delay_p95_seconds'].map((column) => duration(number(row, column))),
      el('a', { href: modelLink(modelOf(row)) }, text(row, 'model')),
      text(row, 'source'),
      text(row, 'capture') === 'poll' ? `poll, every ${duration(number(row, 'poll_seconds'))}` : text(row, 'capture'),
    ],
  });

function modelOf(row: Row): string {
  return text(row, 'model').replace(/@.*$/, '');
}

function stateOf(row: Row): HTMLElement {
  const state = text(row, 'state');
  const chip = el('span', { class: `chip ${TONES[state] ?? ''}` }, state);
  if (text(row, 'error') === '') return chip;
  return el('div', { class: 'wide' }, chip, ` ${text(row, 'error')}. ${text(row, 'remedy')}`);
}
