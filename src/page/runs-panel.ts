import { ask, number, text, type Row } from './api.ts';
import { modelLink } from './address.ts';
import { el } from './dom.ts';
import { ago, count, span } from './format.ts';
import { RUN_HINT, scoreHint } from './tooltip.ts';
import { panel, type Panel } from './panel.ts';
import { scrollBox } from './scroll-box.ts';

const TONES: Readonly<Record<string, string>> = {
  done: 'good',
  failed: 'bad',
  cancelled: 'plain',
  queued: 'plain',
  running: '',
};

/** The newest runs, of one model or of all, with the progress of those that go on. */
export const runsPanel = (model?: string): Panel<undefined> =>
  panel<undefined, Row[]>({
    id: 'runs',
    title: 'Runs',
    depends: () => null,
    load: async () => (model === undefined ? ask('runs') : ask('model-runs', { model })),
    draw: (sheet, rows) => {
      if (rows.length === 0)
        return sheet.empty('Nothing was scored yet.', model === undefined ? RUN_HINT : scoreHint(model));
      const heads = ['Run', 'Model', 'Source', 'State', 'Rows', 'Rate', 'By', 'When'];
      const table = el(
        'table',
        {},
        el(
          'thead',
          {},
          el(
            'tr',
            {},
            ...heads.map((head) => el('th', { scope: 'col', class: isNumber(head) ? 'end' : undefined }, head)),
          ),
        ),
        el('tbody', {}, ...rows.map(lineOf)),
      );
      sheet.add(scrollBox('Runs', table));
    },
  });

/** Whether any run goes on: then it is worth looking again soon. */
export async function somethingRuns(): Promise<boolean> {
  return (await ask('runs')).some((row) => row['state'] === 'running' || row['state'] === 'queued');
}

function isNumber(head: string): boolean {
  return head === 'Rows' || head === 'Rate';
}

function lineOf(row: Row): HTMLElement {
  const model = text(row, 'model');
  const rate = number(row, 'rows_per_second');
  return el(
    'tr',
    {},
    el('td', { class: 'num' }, text(row, 'run')),
    el('td', {}, el('a', { href: modelLink(model.replace(/@\d+$/, '')) }, model)),
    el('td', {}, text(row, 'source')),
    el('td', { class: row['error'] === null ? undefined : 'wide' }, stateOf(row)),
    el('td', { class: 'end' }, rowsOf(row)),
    el('td', { class: 'end' }, rate === null ? '–' : `${count(rate)}/s`),
    el('td', {}, text(row, 'requested_by')),
    el('td', {}, ago(text(row, 'finished_at') || text(row, 'started_at') || text(row, 'requested_at'))),
  );
}

function stateOf(row: Row): HTMLElement {
  const state = text(row, 'state');
  const [done, total] = [number(row, 'rows_done'), number(row, 'rows_total')];
  const failed = number(row, 'rows_failed') ?? 0;
  if (state === 'done' && failed > 0) return el('span', { class: 'chip warn' }, `done, ${count(failed)} failed`);
  const chip = el('span', { class: `chip ${TONES[state] ?? 'plain'}` }, state);
  if (state === 'failed') return el('div', {}, chip, ` ${text(row, 'error')} ${text(row, 'remedy')}`);
  if (state !== 'running' || done === null || total === null || total === 0) return chip;
  const left = number(row, 'eta_seconds');
  const bar = el('progress', { max: total, value: Math.min(done, total), 'aria-label': `Run ${text(row, 'run')}` });
  return el(
    'div',
    {},
    chip,
    left === null ? ` ${text(row, 'phase')}` : ` ${text(row, 'phase')}, ${span(left)} left`,
    bar,
  );
}

function rowsOf(row: Row): string {
  const [done, failed, total] = [number(row, 'rows_done'), number(row, 'rows_failed') ?? 0, number(row, 'rows_total')];
  const whole = row['state'] === 'running' && total !== null ? ` of ${count(total)}` : '';
  return `${count(done)}${whole}${failed > 0 ? `, ${count(failed)} failed` : ''}`;
}
