import { ask, text, type Row } from './api.ts';
import { dataTable } from './data-table.ts';
import { el } from './dom.ts';
import { moment } from './format.ts';
import { panel, type Panel } from './panel.ts';

const TONES: Readonly<Record<string, string>> = { ready: 'good', rejected: 'bad' };

/** The versions of a model, and who deployed them. */
export const versionsPanel = (model: string): Panel<undefined> =>
  panel<undefined, Row[]>({
    id: 'versions',
    title: 'All versions',
    depends: () => null,
    load: async () => {
      const mine = (await ask('versions')).filter((row) => row['model_name'] === model);
      return mine.length === 0 ? undefined : mine;
    },
    draw: (sheet, rows) =>
      sheet.add(
        dataTable({
          caption: 'Versions, the newest first',
          columns: ['Version', 'State', 'Also called', 'Deployed by', 'When'],
          rows: rows.map((row) => [
            text(row, 'model_version'),
            el('span', { class: `chip ${TONES[text(row, 'state')] ?? 'plain'}` }, text(row, 'state')),
            text(row, 'aliases'),
            text(row, 'deployed_by'),
            moment(text(row, 'deployed_at') || null),
          ]),
        }),
      ),
  });
