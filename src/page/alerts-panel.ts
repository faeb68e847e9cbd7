import { ask, text, type Row, type Value } from './api.ts';
import { modelLink } from './address.ts';
import { dataTable } from './data-table.ts';
import { el } from './dom.ts';
import { day, decimal, moment, NOTHING } from './format.ts';
import { panel, type Panel } from './panel.ts';

/** What is worth a column, in this order, where the view has it. */
const COLUMNS = [
  'state',
  'model_name',
  'model_version',
  'rule',
  'metric',
  'column_name',
  'feature_name',
  'value',
  'threshold',
  'n',
  'window_date',
  'since',
  'at',
  'fired_at',
  'resolved_at',
];
const QUIET_STATES = ['ok', 'no_data', 'insufficient_data'];

/** Alerts that are not at rest; with a model, its alerts and what became of older ones. Not shown where there are none to have. */
export const alertsPanel = (model?: string): Panel<undefined> =>
  panel<undefined, { now: Row[]; before: Row[] }>({
    id: 'alerts',
    title: 'Alerts',
    depends: () => null,
    load: async () => {
      const [now, before] = await Promise.all([
        ask('alerts'),
        model === undefined ? [] : ask('alert-history', { model }),
      ]);
      const mine = now.filter((row) =>
        model === undefined ? !QUIET_STATES.includes(text(row, 'state')) : row['model_name'] === model,
      );
      return mine.length + before.length === 0 ? undefined : { now: mine, before };
    },
    draw: (sheet, { now, before }) => {
      if (now.length > 0) sheet.add(listOf('Now', now));
      if (before.length > 0) sheet.add(listOf('Before', before));
    },
  });

function listOf(caption: string, rows: readonly Row[]): HTMLElement {
  const columns = COLUMNS.filter((column) => rows.some((row) => (row[column] ?? null) !== null));
  return dataTable({
    caption,
    columns: columns.map(headOf),
    rows: rows.map((row) => columns.map((column) => cellOf(column, row[column] ?? null))),
  });
}

function headOf(column: string): string {
  return (column.charAt(0).toUpperCase() + column.slice(1)).replaceAll('_', ' ');
}

function cellOf(column: string, value: Value): string | Node {
  if (value === null) return NOTHING;
  if (column === 'state') return el('span', { class: `chip ${toneOf(String(value))}` }, String(value));
  if (column === 'model_name') return el('a', { href: modelLink(String(value)) }, String(value));
  if (column === 'window_date') return day(String(value));
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : decimal(value);
  return /^\d{4}-\d{2}-\d{2}T/.test(String(value)) ? moment(String(value)) : String(value);
}

export function toneOf(state: string): string {
  if (state === 'firing' || state === 'alert') return 'bad';
  if (state === 'warning' || state === 'pending') return 'warn';
  return state === 'ok' || state === 'resolved' ? 'good' : 'plain';
}
