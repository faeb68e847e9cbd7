import { ask, number, text, type Row } from './api.ts';
import { dataTable } from './data-table.ts';
import { el } from './dom.ts';
import { count, moment } from './format.ts';
import { panel, type Panel } from './panel.ts';

/** When accuracy was brought up to date, and what had changed. Not shown before the first time. */
export const refreshesPanel = (): Panel<undefined> =>
  panel<undefined, Row[]>({
    id: 'refreshes',
    title: 'Refreshes',
    about: 'when accuracy was brought up to date',
    depends: () => null,
    load: async () => {
      const rows = await ask('refreshes');
      return rows.length === 0 ? undefined : rows;
    },
    draw: (sheet, rows) => {
      const numeric = (head: string) => ({ head, number: true as const });
      const table = dataTable({
        caption: 'The newest refreshes that changed something',
        columns: ['When', ...['Runs', 'Labels', 'Pairs added', 'Removed', 'Took'].map((head) => numeric(head))],
        rows: rows.map((row) => [
          moment(text(row, 'started_at')),
          ...['runs_seen', 'labels_changed', 'pairs_added', 'pairs_removed'].map((column) =>
            count(number(row, column)),
          ),
          `${count(number(row, 'duration_ms'))} ms`,
        ]),
      });
      const [newest] = rows;
      const summary = `The newest: ${moment(text(newest, 'started_at'))}, ${count(number(newest, 'duration_ms'))} ms`;
      sheet.add(el('details', {}, el('summary', {}, summary), table));
    },
  });
