import { ask, text, type Row } from './api.ts';
import { dataTable } from './data-table.ts';
import { el } from './dom.ts';
import { moment } from './format.ts';
import { scheduleHint } from './tooltip.ts';
import { panel, type Panel } from './panel.ts';

/** What is scored by the clock, of one model or of all. */
export const schedulesPanel = (model?: string): Panel<undefined> =>
  panel<undefined, Row[]>({
    id: 'schedules',
    title: 'Schedules',
    depends: () => null,
    load: async () => {
      const rows = await ask('schedules');
      return model === undefined ? rows : rows.filter((row) => text(row, 'model').replace(/@.*$/, '') === model);
    },
    draw: (sheet, rows) => {
      if (rows.length === 0) return sheet.empty('Nothing is scored by the clock.', scheduleHint(model));
      sheet.add(
        dataTable({
          caption: 'By name',
          columns: ['Schedule', 'When', 'Model', 'Source', 'State', 'Next'],
          rows: rows.map((row) => [
            text(row, 'name'),
            `${text(row, 'cron')} ${text(row, 'time_zone')}`,
            text(row, 'model'),
            text(row, 'source'),
            stateOf(row),
            moment(text(row, 'next_fire_at') || null),
          ]),
        }),
      );
    },
  });

function stateOf(row: Row): HTMLElement {
  const state = text(row, 'state');
  const tone = state === 'active' ? 'good' : state === 'broken' ? 'bad' : 'plain';
  const error = text(row, 'last_error');
  return el('span', {}, el('span', { class: `chip ${tone}` }, state), error !== '' && ` ${error}`);
}
