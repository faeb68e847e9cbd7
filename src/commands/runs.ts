import type { Command } from 'commander';
import type pg from 'pg';
import { catalog, rowsOf, type RunRow } from '../postgres/catalog.ts';
import { PgscoreError } from '../errors.ts';
import { databaseCommand, invocation, numberOption, runArgument } from './options.ts';
import { listOf, tableOf, type Row } from './output.ts';
import { inDatabase } from './connection.ts';
import { callFunction } from '../client/connection.ts';

const DESCRIPTION = `Lists your runs, newest first, or shows one of them. Members of pgscore_owner see everybody's.`;

type Options = { errors?: boolean; limit: number };

export function addRuns(program: Command): void {
  databaseCommand(program, 'runs')
    .summary('list your runs, or show one')
    .description(DESCRIPTION)
    .argument('[run]', 'number of a run', runArgument)
    .option('--errors', 'show the rows of the run that could not be scored, and why')
    .option('--limit <n>', 'most rows to show', numberOption('--limit'), 50)
    .action(async (run: number | undefined, options: Options, command: Command) => {
      const { flags, output } = invocation(command);
      if (run === undefined) {
        const runs = await inDatabase(flags, (client) => listRuns(client, options.limit));
        output.result(runs, () => tableOf(runs.map(briefly), 'No runs yet: pgscore score MODEL SOURCE'));
      } else if (options.errors === true) {
        const { view, errors } = await inDatabase(flags, (client) => readErrors(client, run, options.limit));
        output.result(errors, () => tableOf(errors, withoutErrors(view)));
      } else {
        const view = await inDatabase(flags, (client) => readRun(client, run));
        output.result(view, () => listOf({ ...view }));
      }
    });
}

function listRuns(client: pg.Client, limit: number): Promise<RunRow[]> {
  return rowsOf(client, catalog.selectFrom('pgscore.runs').selectAll().orderBy('run', 'desc').limit(limit));
}

/** A run of the caller. Raises `usage` where there is none. */
export async function readRun(client: pg.Client, number: number): Promise<RunRow> {
  const [run] = await rowsOf(client, catalog.selectFrom('pgscore.runs').selectAll().where('run', '=', number));
  if (run !== undefined) return run;
  throw new PgscoreError('usage', `run ${number} does not exist, or is not yours`, {
    remedy: 'pgscore runs lists your runs.',
  });
}

async function readErrors(client: pg.Client, run: number, limit: number): Promise<{ view: RunRow; errors: Row[] }> {
  const view = await readRun(client, run);
  const errors = catalog.selectFrom('pgscore.run_errors').select(['key', 'code', 'reason', 'feature', 'input']);
  return { view, errors: await rowsOf(client, errors.where('run', '=', run).limit(limit)) };
}

/** What it means that a run shows no failed row. */
function withoutErrors({ run, state, error, rows_failed: failed }: RunRow): string {
  if (state === 'failed') return `Run ${run} failed, for no row in particular: ${error}`;
  if (state !== 'done') return `Run ${run} is ${state}; no row that failed is known.`;
  return Number(failed) === 0 ? `Every row of run ${run} was scored.` : `Of ${failed} rows that failed none was kept.`;
}

function briefly(run: RunRow): Row {
  const { model, source, target, state, rows_done, rows_failed, requested_by, requested_at, error } = run;
  return { run: run.run, model, source, target, state, rows_done, rows_failed, requested_by, requested_at, error };
}

export function addCancel(program: Command): void {
  databaseCommand(program, 'cancel')
    .summary('ask for a run to be stopped')
    .description('Asks for a run to be stopped. Its predictions are discarded; those that were there before stay.')
    .argument('<run>', 'number of the run', runArgument)
    .action(async (run: number, _options, command: Command) => {
      const { flags, output } = invocation(command);
      const asked = await inDatabase(flags, (client) =>
        callFunction(client, 'pgscore.cancel_run', [['run', 'bigint', run]]),
      );
      output.result({ run, cancelling: asked }, () =>
        asked === true ? `Run ${run} is being cancelled.` : `Run ${run} had already ended.`,
      );
    });
}
