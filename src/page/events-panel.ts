import { ask, text, type Row } from './api.ts';
import { dataTable } from './data-table.ts';
import { moment } from './format.ts';
import type { ModelContext } from './model-context.ts';
import { panel, type Panel } from './panel.ts';

/** What was done to the model. */
export const eventsPanel = (): Panel<ModelContext> =>
  panel<ModelContext, Row[]>({
    id: 'events',
    title: 'History',
    about: 'what was done to this model',
    depends: () => null,
    load: async ({ model }) => ask('events', { model }),
    draw: (sheet, rows) => {
      if (rows.length === 0) return sheet.say('Nothing is on record.');
      sheet.add(
        dataTable({
          caption: 'The newest first',
          columns: ['When', 'What'],
          rows: rows.map((row) => [moment(text(row, 'time')), text(row, 'text')]),
        }),
      );
    },
  });
