import type { Command } from 'commander';
import { scoreTable, type SourceOptions } from '../client/runs.ts';
import { followRun } from './follow-run.ts';
import { databaseCommand, invocation, addSourceOptions, ownOptions } from './options.ts';
import { listOf } from './output.ts';
import { readRun, type RunRow } from './runs.ts';
import { inPersonsDatabase } from './connection.ts';

const DESCRIPTION = `Scores every row of a table or view, and waits until the run is done.

The columns of the source are matched to the features of the model by name. The predictions are in the view that
--target names; the view of that name and _history also has those of earlier runs. Ctrl-C asks for the run to be cancelled.`;

const EXAMPLES = `
Examples:
  pgscore score churn customers
  pgscore score churn@challenger crm.customers --target challenger_scores --key customer_id
  pgscore score churn customers --column-map '{"MonthlyCharges": "monthly_charges"}' --no-wait`;

export function addScore(program: Command): void {
  const command = databaseCommand(program, 'score')
    .summary('score every row of a table or view')
    .description(DESCRIPTION)
    .argument('<model>', 'churn (its champion), churn@3 or churn@challenger')
    .argument(
      '<source>',
      'table, view, materialised view or foreign table; schema.name where it is not on your search path',
    );
  addSourceOptions(command)
    .option('--no-wait', 'return at once with the number of the run')
    .addHelpText('after', EXAMPLES)
    .action((model: string, source: string, options: SourceOptions & { wait: boolean }) =>
      score(model, source, options, command),
    );
}

async function score(
  model: string,
  source: string,
  options: SourceOptions & { wait: boolean },
  command: Command,
): Promise<void> {
  const { flags, output } = invocation(command);
  await inPersonsDatabase(flags, async (client) => {
    const { run } = await scoreTable(client, { ...ownOptions(options), model, source, wait: false });
    if (options.wait) {
      await followRun(client, run, output);
      const done = await readRun(client, run);
      output.result(done, () => summary(done));
    } else {
      output.result({ run, state: 'queued' }, () => `Run ${run} is queued: pgscore runs ${run}`);
    }
  });
}

function summary(run: RunRow): string {
  const { model, source, target, rows_done, rows_failed, rows_per_second, cpu_seconds, published } = run;
  const unchanged = run.rows_unchanged === null ? {} : { rows_unchanged: run.rows_unchanged };
  const failed = rows_failed === 0 ? '' : `\n\npgscore runs ${run.run} --errors says why rows failed.`;
  return `${listOf({ run: run.run, model, source, target, rows_done, ...unchanged, rows_failed, rows_per_second, cpu_seconds, published })}${failed}`;
}
