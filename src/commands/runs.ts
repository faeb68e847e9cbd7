import type { Command } from 'commander';
import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { inDatabase } from './connection.ts';
import { countOption, databaseCommand, invocation, runArgument } from './options.ts';
import { listOf, tableOf, type Row } from './output.ts';
import { columns, printCall, printRows } from './print.ts';

const DESCRIPTION = `Lists your runs, newest first, or shows one of them. Members of pgscore_owner see everybody's.`;

type Options = { errors?: boolean; limit: number };

export function addRuns(program: Command): void {
  databaseCommand(program, 'runs')
    .summary('list your runs, or show one')
    .description(DESCRIPTION)
    .argument('[run]', 'number of a run', runArgument)
    .option('--errors', 'show the rows of the run that could not be scored, and why')
    .addOption(countOption('--limit <n>', 'most rows to show').default(50))
    .action((run: number | undefined, options: Options, command: Command) => {
      if (run === undefined && options.errors === true) {
        throw new PgscoreError('usage', '--errors needs the number of a run', { remedy: 'pgscore runs lists them.' });
      }
      if (run === undefined) return list(command, options.limit);
      return options.errors === true ? showErrors(command, run, options.limit) : show(command, run);
    });
}

function list(command: Command, limit: number): Promise<void> {
  return printRows(command, {
    text: 'select * from pgscore.runs order by run desc limit $1',
    values: [limit],
    shown: columns('run, model, source, target, state, rows_done, rows_failed, requested_by, requested_at, error'),
    nothing: 'No runs yet: pgscore score MODEL SOURCE',
  });
}

async function show(command: Command, number: number): Promise<void> {
  const { flags, output } = invocation(command);
  const run = await inDatabase(flags, (client) => readRun(client, number));
  output.result(run, () => listOf(run));
}

async function showErrors(command: Command, number: number, limit: number): Promise<void> {
  const { flags, output } = invocation(command);
  const text = 'select key, code, reason, feature, input from pgscore.run_errors where run = $1 limit $2';
  const { run, rows } = await inDatabase(flags, async (client) => ({
    run: await readRun(client, number),
    rows: (await client.query<Row>(text, [number, limit])).rows,
  }));
  output.result(rows, () => tableOf(rows, withoutErrors(run)));
}

/** A row of pgscore.runs. */
export type RunRow = Row & {
  readonly run: number;
  readonly state: string;
  readonly target: string | null;
  readonly rows_failed: number;
  readonly error: string | null;
};

/** A run of the caller. Raises `usage` where there is none. */
export async function readRun(client: pg.Client, number: number): Promise<RunRow> {
  const { rows } = await client.query<RunRow>('select * from pgscore.runs where run = $1', [number]);
  const [run] = rows;
  if (run !== undefined) return run;
  throw new PgscoreError('usage', `run ${number} does not exist, or is not yours`, {
    remedy: 'pgscore runs lists your runs.',
  });
}

/** What it means that a run shows no failed row. */
function withoutErrors({ run, state, error, rows_failed: failed }: RunRow): string {
  if (state === 'failed') return `Run ${run} failed, for no row in particular: ${error}`;
  if (state !== 'done') return `Run ${run} is ${state}; no row that failed is known.`;
  return failed === 0 ? `Every row of run ${run} was scored.` : `Of ${failed} rows that failed none was kept.`;
}

export function addCancel(program: Command): void {
  databaseCommand(program, 'cancel')
    .summary('ask for a run to be stopped')
    .description('Asks for a run to be stopped. Its predictions are discarded; those that were there before stay.')
    .argument('<run>', 'number of the run', runArgument)
    .action((run: number, _options, command: Command) =>
      printCall(command, 'pgscore.cancel_run', [['run', 'bigint', run]], (cancelling) => [
        { run, cancelling },
        cancelling === true ? `Run ${run} is being cancelled.` : `Run ${run} had already ended.`,
      ]),
    );
}
