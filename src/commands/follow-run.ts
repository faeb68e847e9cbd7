import { catalog, rowsOf } from '../postgres/catalog.ts';
import type { RunRow } from '../postgres/schema.ts';
import type { Queryable } from '../postgres/statement.ts';
import { codeOr, PgscoreError } from '../errors.ts';
import { pause } from '../lib/retrying.ts';
import { holdInterrupt } from './interrupt.ts';
import type { Output } from './output.ts';
import { runProgress } from './run-progress.ts';
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
