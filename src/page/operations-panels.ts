import { ask, number, text, type Row } from './api.ts';
import { modelLink } from './address.ts';
import { el } from './dom.ts';
import { ago, count, duration, moment, NOTHING, sentences, span } from './format.ts';
import { RUN_HINT, scoreHint, scheduleHint } from './sql-hints.ts';
import { panel, tablePanel, type Panel } from './panel.ts';
import { cardTable, numeric } from './data-table.ts';
import type { ModelContext } from './model-context.ts';

/** Of the states of runs, schedules, versions and watches. */
const TONES: Readonly<Record<string, string>> = {
  done: 'good',
  failed: 'bad',
  running: '',
  active: 'good',
  broken: 'bad',
  ready: 'good',
  rejected: 'bad',
  starting: '',
  scoring: '',
  comparing: '',
  following: 'good',
  failing: 'bad',
};

function chipOf(state: string): HTMLElement {
  return el('span', { class: `chip ${TONES[state] ?? 'plain'}` }, state);
}

/** A state, and why it is so where there is something to say. */
function chipAnd(state: string, why: string): HTMLElement {
  return why === '' ? chipOf(state) : el('div', { class: 'wide' }, chipOf(state), ` ${why}`);
}

/** The newest runs, of one model or of all, with the progress of those that go on. */
export const runsPanel = (model?: string): Panel<undefined> =>
  tablePanel<undefined>({
    id: 'runs',
    title: 'Runs',
    depends: () => null,
    load: async () => (model === undefined ? ask('runs') : ask('model-runs', { model })),
    nothing: ['Nothing was scored yet.', model === undefined ? RUN_HINT : scoreHint(model)],
    caption: 'Runs, the newest first',
    fields: () => [
      ['Run', (row) => text(row, 'run')],
      ['Model', linkOf],
      ['State', stateOf],
      ['Source', (row) => text(row, 'source')],
      [numeric('Rows'), rowsOf],
      [numeric('Rate'), rateOf],
      ['By', (row) => text(row, 'requested_by')],
      ['When', (row) => ago(text(row, 'finished_at') || text(row, 'started_at') || text(row, 'requested_at'))],
    ],
  });

/** Whether any run goes on: then it is worth looking again soon. */
export async function somethingRuns(): Promise<boolean> {
  return (await ask('runs')).some((row) => row['state'] === 'running' || row['state'] === 'queued');
}

/** The name of a model, also where a version or an alias is named. */
function modelOf(row: Row): string {
  return text(row, 'model').replace(/@.*$/, '');
}

function linkOf(row: Row): HTMLElement {
  const words = `${text(row, 'model')}${row['is_replay'] === true ? ', replay' : ''}`;
  return el('a', { href: modelLink(modelOf(row)) }, words);
}

function stateOf(row: Row): HTMLElement {
  const state = text(row, 'state');
  const [done, total] = [number(row, 'rows_done'), number(row, 'rows_total')];
  const failed = number(row, 'rows_failed') ?? 0;
  if (state === 'done' && failed > 0) return el('span', { class: 'chip warn' }, `done, ${count(failed)} failed`);
  if (state === 'failed') return chipAnd(state, sentences(text(row, 'error'), text(row, 'remedy')));
  if (state !== 'running' || done === null || total === null || total === 0) return chipOf(state);
  const left = number(row, 'eta_seconds');
  const bar = el('progress', { max: total, value: Math.min(done, total), 'aria-label': `Run ${text(row, 'run')}` });
  return el(
    'div',
    {},
    chipOf(state),
    left === null ? ` ${text(row, 'phase')}` : ` ${text(row, 'phase')}, ${span(left)} left`,
    bar,
  );
}

function rateOf(row: Row): string {
  const rate = number(row, 'rows_per_second');
  return rate === null ? NOTHING : `${count(rate)}/s`;
}

function rowsOf(row: Row): string {
  const [done, failed, total] = [number(row, 'rows_done'), number(row, 'rows_failed') ?? 0, number(row, 'rows_total')];
  const whole = row['state'] === 'running' && total !== null ? ` of ${count(total)}` : '';
  return `${count(done)}${whole}${failed > 0 ? `, ${count(failed)} failed` : ''}`;
}

/** What is scored by the clock, of one model or of all. */
export const schedulesPanel = (model?: string): Panel<undefined> =>
  tablePanel<undefined>({
    id: 'schedules',
    title: 'Schedules',
    depends: () => null,
    load: async () => {
      const rows = await ask('schedules');
      return model === undefined ? rows : rows.filter((row) => modelOf(row) === model);
    },
    nothing: ['Nothing is scored by the clock.', scheduleHint(model)],
    caption: 'Schedules by name',
    fields: () => [
      ['Schedule', (row) => text(row, 'name')],
      ['State', scheduleState],
      ['When', (row) => `${text(row, 'cron')} ${text(row, 'time_zone')}`],
      ['Next', (row) => moment(text(row, 'next_fire_at') || null)],
      ['Model', (row) => text(row, 'model')],
      ['Source', (row) => text(row, 'source')],
    ],
  });

function scheduleState(row: Row): HTMLElement {
  return chipAnd(text(row, 'state'), text(row, 'last_error'));
}

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
    draw: (body, rows) => {
      const table = cardTable({
        caption: 'The newest refreshes that changed something',
        columns: ['When', ...['Runs', 'Labels', 'Pairs added', 'Removed', 'Took'].map(numeric)],
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
      body.add(el('details', {}, el('summary', {}, summary), table));
    },
  });

/** The versions of a model, and who deployed them. */
export const versionsPanel = (model: string): Panel<undefined> =>
  tablePanel<undefined>({
    id: 'versions',
    title: 'All versions',
    depends: () => null,
    load: async () => (await ask('versions')).filter((row) => row['model_name'] === model),
    caption: 'Versions, the newest first',
    fields: () => [
      ['Version', (row) => text(row, 'model_version')],
      ['State', (row) => chipOf(text(row, 'state'))],
      ['Also called', (row) => text(row, 'aliases')],
      ['Deployed by', (row) => text(row, 'deployed_by')],
      ['When', (row) => moment(text(row, 'deployed_at') || null)],
    ],
  });

/** What was done to the model. */
export const eventsPanel = (): Panel<ModelContext> =>
  tablePanel<ModelContext>({
    id: 'events',
    title: 'History',
    about: 'what was done to this model',
    depends: () => null,
    load: async ({ model }) => ask('events', { model }),
    nothing: ['Nothing is on record.'],
    caption: 'What was done, the newest first',
    fields: () => [
      ['When', (row) => moment(text(row, 'time'))],
      ['What', (row) => el('div', { class: 'wide' }, text(row, 'text'))],
    ],
  });

/** What is scored as it changes, of one model or of all, and how late. Not shown where nothing is watched. */
export const watchesPanel = (model?: string): Panel<undefined> =>
  tablePanel<undefined>({
    id: 'watches',
    title: 'Watches',
    about: 'rows that are scored as they change',
    depends: () => null,
    load: async () => {
      const rows = await ask('watches');
      return model === undefined ? rows : rows.filter((row) => modelOf(row) === model);
    },
    caption: 'Watches, those that fail first',
    fields: () => [
      ['Target', (row) => text(row, 'target')],
      ['State', watchState],
      [numeric('Scored'), (row) => count(number(row, 'rows_scored'))],
      [numeric('Pending'), (row) => count(number(row, 'pending'))],
      [numeric('Oldest'), (row) => duration(number(row, 'oldest_seconds'))],
      [numeric('Delay p50'), (row) => duration(number(row, 'delay_p50_seconds'))],
      [numeric('Delay p95'), (row) => duration(number(row, 'delay_p95_seconds'))],
      ['Model', linkOf],
      ['Source', (row) => text(row, 'source')],
      ['Capture', captureOf],
    ],
  });

function watchState(row: Row): HTMLElement {
  return chipAnd(text(row, 'state'), sentences(text(row, 'error'), text(row, 'remedy')));
}

function captureOf(row: Row): string {
  const capture = text(row, 'capture');
  return capture === 'poll' ? `poll, every ${duration(number(row, 'poll_seconds'))}` : capture;
}
