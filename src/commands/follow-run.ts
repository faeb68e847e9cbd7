import { Presets, SingleBar } from 'cli-progress';
import { catalog, rowsOf, type RunRow } from '../postgres/catalog.ts';
import type { Queryable } from '../postgres/statement.ts';
import { codeOr, PgscoreError } from '../errors.ts';
import { pause } from '../lib/retry.ts';
import { holdInterrupt } from './interrupt.ts';
import type { Output } from './output.ts';
import { ServiceWatch } from './service-watch.ts';

const POLL_MS = 100;

/**
 * Shows the progress of a run until it is done, and returns it. Ctrl-C asks for its cancellation.
 *
 * @throws PgscoreError the run's own error where it failed; `interrupted` or `aborted` where it was cancelled; `no_service`
 */
export async function followRun(client: Queryable, number: number, output: Output): Promise<RunRow> {
  const progress = runProgress(output);
  const services = new ServiceWatch(output);
  const interrupt = holdInterrupt();
  let interrupted = false;
  try {
    for (;;) {
      const run = await readRun(client, number);
      progress.update(run);
      if (run.state === 'done') return run;
      if (run.state === 'failed') throw failed(run);
      if (run.state === 'cancelled') throw cancelled(run, interrupted);
      if (interrupt.take()) {
        interrupted = true;
        output.note(`Cancelling run ${number}; Ctrl-C again leaves without waiting.`);
        await client.query('select pgscore.cancel_run($1)', [number]);
      }
      if (run.state === 'queued') await services.expectService(client, `run ${number}`);
      await pause(POLL_MS);
    }
  } finally {
    progress.end();
    interrupt.release();
  }
}

/** A run of the caller. Raises `usage` where there is none. */
export async function readRun(client: Queryable, number: number): Promise<RunRow> {
  const [run] = await rowsOf(client, catalog.selectFrom('pgscore.runs').selectAll().where('run', '=', number));
  if (run !== undefined) return run;
  throw new PgscoreError('usage', `run ${number} does not exist, or is not yours`, {
    remedy: 'pgscore runs lists your runs.',
  });
}

function failed({ run, error, error_code: code, remedy }: RunRow): PgscoreError {
  return new PgscoreError(codeOr('run_failed', code), `run ${run} failed: ${error}`, remedy === null ? {} : { remedy });
}

function cancelled({ run }: RunRow, interrupted: boolean): PgscoreError {
  return new PgscoreError(interrupted ? 'interrupted' : 'aborted', `run ${run} was cancelled`);
}

type RunProgress = { update(run: RunRow): void; end(): void };

/** A bar on a terminal, a line now and then elsewhere. */
function runProgress(output: Output): RunProgress {
  return output.terminal ? barProgress() : lineProgress(output);
}

const FORMAT = '{bar} {percentage}% | {value} of {total} rows | {rate} rows/s | {phase} | {eta_formatted} left';

function barProgress(): RunProgress {
  const bar = new SingleBar({ format: FORMAT, hideCursor: true, etaBuffer: 30 }, Presets.shades_classic);
  return {
    update: (run) => {
      if (run.state === 'queued') return;
      const total = Math.max(run.rows_total ?? 0, run.rows_done, 1);
      const payload = { rate: rateOf(run), phase: run.phase ?? run.state };
      if (!bar.isActive) bar.start(total, run.rows_done, payload);
      bar.setTotal(total);
      bar.update(run.rows_done, payload);
    },
    end: () => bar.stop(),
  };
}

const LINE_EVERY_MS = 5000;

function lineProgress(output: Output): RunProgress {
  let told = performance.now();
  return {
    update: (run) => {
      if (performance.now() - told < LINE_EVERY_MS) return;
      told = performance.now();
      output.note(
        `run ${run.run} ${run.state}: ${run.rows_done} of ${run.rows_total ?? '?'} rows, ${rateOf(run)} rows/s`,
      );
    },
    end: () => undefined,
  };
}

function rateOf(run: RunRow): string {
  return Math.round(run.rows_per_second ?? 0).toLocaleString('en');
}
