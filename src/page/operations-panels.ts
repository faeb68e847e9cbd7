import { ask, number, text, type Row } from './api.ts';
import { modelLink } from './address.ts';
import { el } from './dom.ts';
import { ago, count, span, moment, sentences, duration } from './format.ts';
import { RUN_HINT, scoreHint, scheduleHint } from './sql-hints.ts';
import { panel, tablePanel, type Panel } from './panel.ts';
import { cardTable, numeric } from './data-table.ts';
import type { ModelContext } from './model-context.ts';

const TONES: Readonly<Record<string, string>> = {
  done: 'good',
  failed: 'bad',
  cancelled: 'plain',
  queued: 'plain',
  running: '',
};

/** The newest runs, of one model or of all, with the progress of those that go on. */
export const runsPanel = (model?: string): Panel<undefined> =>
  tablePanel<undefined>({
    id: 'runs',
    title: 'Runs',
    depends: () => null,
    load: async () => (model === undefined ? ask('runs') : ask('model-runs', { model })),
    nothing: ['Nothing was scored yet.', model === undefined ? RUN_HINT : scoreHint(model)],
    caption: 'Runs, the newest first',
    columns: ['Run', 'Model', 'State', 'Source', numeric('Rows'), numeric('Rate'), 'By', 'When'],
    cells: (row) => {
      const rate = number(row, 'rows_per_second');
      return [
        text(row, 'run'),
        el('a', { href: modelLink(modelOf(row)) }, text(row, 'model')),
        stateOf(row),
        text(row, 'source'),
        rowsOf(row),
        rate === null ? '–' : `${count(rate)}/s`,
        text(row, 'requested_by'),
        ago(text(row, 'finished_at') || text(row, 'started_at') || text(row, 'requested_at')),
      ];
    },
  });

/** Whether any run goes on: then it is worth looking again soon. */
export async function somethingRuns(): Promise<boolean> {
  return (await ask('runs')).some((row) => row['state'] === 'running' || row['state'] === 'queued');
}

/** The name of a model, also where a version is named. */
function modelOf(row: Row): string {
  return text(row, 'model').replace(/@\d+$/, '');
}

function stateOf(row: Row): HTMLElement {
  const state = text(row, 'state');
  const [done, total] = [number(row, 'rows_done'), number(row, 'rows_total')];
  const failed = number(row, 'rows_failed') ?? 0;
  if (state === 'done' && failed > 0) return el('span', { class: 'chip warn' }, `done, ${count(failed)} failed`);
  const chip = el('span', { class: `chip ${TONES[state] ?? 'plain'}` }, state);
  if (state === 'failed')
    return el('div', { class: 'wide' }, chip, ` ${sentences(text(row, 'error'), text(row, 'remedy'))}`);
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

/** What is scored by the clock, of one model or of all. */
export const schedulesPanel = (model?: string): Panel<undefined> =>
  tablePanel<undefined>({
    id: 'schedules',
    title: 'Schedules',
    depends: () => null,
    load: async () => {
      const rows = await ask('schedules');
      return model === undefined ? rows : rows.filter((row) => text(row, 'model').replace(/@.*$/, '') === model);
    },
    nothing: ['Nothing is scored by the clock.', scheduleHint(model)],
    caption: 'Schedules by name',
    columns: ['Schedule', 'State', 'When', 'Next', 'Model', 'Source'],
    cells: (row) => [
      text(row, 'name'),
      scheduleState(row),
      `${text(row, 'cron')} ${text(row, 'time_zone')}`,
      moment(text(row, 'next_fire_at') || null),
      text(row, 'model'),
      text(row, 'source'),
    ],
  });

function scheduleState(row: Row): HTMLElement {
  const state = text(row, 'state');
  const tone = state === 'active' ? 'good' : state === 'broken' ? 'bad' : 'plain';
  const error = text(row, 'last_error');
  const chip = el('span', { class: `chip ${tone}` }, state);
  return error === '' ? chip : el('div', { class: 'wide' }, chip, ` ${error}`);
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

const VERSION_TONES: Readonly<Record<string, string>> = { ready: 'good', rejected: 'bad' };

/** The versions of a model, and who deployed them. */
export const versionsPanel = (model: string): Panel<undefined> =>
  tablePanel<undefined>({
    id: 'versions',
    title: 'All versions',
    depends: () => null,
    load: async () => {
      const mine = (await ask('versions')).filter((row) => row['model_name'] === model);
      return mine.length === 0 ? undefined : mine;
    },
    nothing: ['No version is there.'],
    caption: 'Versions, the newest first',
    columns: ['Version', 'State', 'Also called', 'Deployed by', 'When'],
    cells: (row) => [
      text(row, 'model_version'),
      el('span', { class: `chip ${VERSION_TONES[text(row, 'state')] ?? 'plain'}` }, text(row, 'state')),
      text(row, 'aliases'),
      text(row, 'deployed_by'),
      moment(text(row, 'deployed_at') || null),
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
    columns: ['When', 'What'],
    cells: (row) => [moment(text(row, 'time')), text(row, 'text')],
  });

const WATCH_TONES: Readonly<Record<string, string>> = {
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
      const rows = (await ask('watches')).filter((row) => model === undefined || watchedModel(row) === model);
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
      watchState(row),
      count(number(row, 'rows_scored')),
      count(number(row, 'pending')),
      ...['oldest_seconds', 'delay_p50_seconds', 'delay_p95_seconds'].map((column) => duration(number(row, column))),
      el('a', { href: modelLink(watchedModel(row)) }, text(row, 'model')),
      text(row, 'source'),
      text(row, 'capture') === 'poll' ? `poll, every ${duration(number(row, 'poll_seconds'))}` : text(row, 'capture'),
    ],
  });

function watchedModel(row: Row): string {
  return text(row, 'model').replace(/@.*$/, '');
}

function watchState(row: Row): HTMLElement {
  const state = text(row, 'state');
  const chip = el('span', { class: `chip ${WATCH_TONES[state] ?? ''}` }, state);
  if (text(row, 'error') === '') return chip;
  return el('div', { class: 'wide' }, chip, ` ${text(row, 'error')}. ${text(row, 'remedy')}`);
}
