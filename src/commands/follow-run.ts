import { Presets, SingleBar } from 'cli-progress';
import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { pause } from '../lib/retrying.ts';
import type { Output } from './output.ts';

/** A run as pgscore.runs shows it. */
export type RunView = {
  readonly run: number;
  readonly state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  readonly phase: string | null;
  readonly rows_done: number;
  readonly rows_failed: number;
  readonly rows_total: number | null;
  readonly rows_per_second: number | null;
  readonly error_code: string | null;
  readonly error: string | null;
  readonly remedy: string | null;
};

const POLL_MS = 100;
const LINE_EVERY_MS = 5000;
const FORMAT = '{bar} {percentage}% | {value}/{total} rows | {rate} rows/s | {eta_formatted} left';

/** Shows the progress of a run until it ends: a bar on a terminal, a line now and then elsewhere. Raises `run_failed` where it failed. */
export async function followRun(client: pg.ClientBase, run: number, output: Output): Promise<RunView> {
  const show = output.terminal ? barProgress() : lineProgress(output);
  try {
    for (;;) {
      const view = await readRun(client, run);
      show.update(view);
      if (view.state === 'done') return view;
      if (view.state === 'failed' || view.state === 'cancelled') throw ended(view);
      await pause(POLL_MS);
    }
  } finally {
    show.end();
  }
}

async function readRun(client: pg.ClientBase, run: number): Promise<RunView> {
  const { rows } = await client.query<RunView>('select * from pgscore.runs where run = $1', [run]);
  const [view] = rows;
  if (view !== undefined) return view;
  throw new PgscoreError('usage', `run ${run} does not exist, or is not yours`, {
    remedy: 'pgscore runs lists your runs.',
  });
}

function ended(view: RunView): PgscoreError {
  if (view.state === 'cancelled') return new PgscoreError('aborted', `run ${view.run} was cancelled`);
  return new PgscoreError(
    'run_failed',
    `run ${view.run} failed: ${view.error} (${view.error_code})`,
    view.remedy === null ? {} : { remedy: view.remedy },
  );
}

type Progress = { update(view: RunView): void; end(): void };

function barProgress(): Progress {
  const bar = new SingleBar({ format: FORMAT, hideCursor: true, etaBuffer: 30 }, Presets.shades_classic);
  let started = false;
  return {
    update: (view) => {
      const total = Math.max(view.rows_total ?? 0, view.rows_done, 1);
      const rate = Math.round(view.rows_per_second ?? 0).toLocaleString('en');
      if (!started) bar.start(total, view.rows_done, { rate });
      started = true;
      bar.setTotal(total);
      bar.update(view.rows_done, { rate });
    },
    end: () => bar.stop(),
  };
}

function lineProgress(output: Output): Progress {
  let told = performance.now();
  return {
    update: (view) => {
      const final = view.state === 'done';
      if (!final && performance.now() - told < LINE_EVERY_MS) return;
      told = performance.now();
      output.note(
        `run ${view.run} ${view.state}: ${view.rows_done} of ${view.rows_total ?? '?'} rows, ${Math.round(view.rows_per_second ?? 0)} rows/s`,
      );
    },
    end: () => undefined,
  };
}
