import type { Command } from 'commander';
import { replay, type ReplayOptions } from '../client/replay.ts';
import { PgscoreError } from '../errors.ts';
import { followRun } from './follow-run.ts';
import { countOption, databaseCommand, invocation, jsonOption, namesOption, ownOptions } from './options.ts';
import { listOf } from './output.ts';
import { readRun } from './runs.ts';
import { inPersonsDatabase } from './connection.ts';

const DESCRIPTION = `Scores the past again by a version, and waits until the run is done: what would it have said?

Without --source it replays the calls that were kept with their inputs. The predictions are in the view that --target names
and _history only; latest views, alerts and metrics of live predictions stay as they are. pgscore_bi.version_comparison
compares the replay with what the champion said. Ctrl-C asks for the run to be cancelled.`;

const EXAMPLES = `
Examples:
  pgscore replay churn@4 --from 2026-10-01 --to 2026-11-01
  pgscore replay churn@challenger --source customer_months --key customer_id,as_of --event-time as_of --json`;

type Options = Omit<ReplayOptions, 'model' | 'fromTime' | 'toTime'> & {
  readonly from?: string;
  readonly to?: string;
  readonly wait: boolean;
};

export function addReplay(program: Command): void {
  const command = databaseCommand(program, 'replay')
    .summary('score the past again by another version')
    .description(DESCRIPTION)
    .argument('<model>', 'churn (its champion), churn@3 or churn@challenger')
    .option('--from <time>', 'where the window of event times begins (default: with the first row)')
    .option('--to <time>', 'where it ends, this time excluded (default: with the last row)')
    .option('--source <name>', 'table or view with the rows (default: the calls that were kept with their inputs)')
    .option('--event-time <column>', 'column of the source that says what time a row is for')
    .addOption(namesOption('--key <a,b>', 'columns that identify a row of it (default: its primary key)'))
    .option('--target <name>', 'where the predictions go (default: the model, the source if given, and _replay)')
    .option('--target-schema <schema>', 'where that is (default: your current schema)')
    .addOption(jsonOption('--column-map <json>', 'columns of features that have another name: {"feature": "column"}'))
    .option('--rls <rule>', 'error or filter, as of pgscore score (default: error)')
    .addOption(
      countOption('--error-limit <n>', 'failed rows beyond which the run fails (default: the larger of 1 % and 1,000)'),
    )
    .option('--no-wait', 'return at once with the number of the run')
    .addHelpText('after', EXAMPLES)
    .action((model: string, options: Options) => run(model, options, command));
}

async function run(model: string, { from, to, wait, ...options }: Options, command: Command): Promise<void> {
  const { flags, output } = invocation(command);
  if (options.source !== undefined && options.eventTime === undefined) throw needsEventTime();
  await inPersonsDatabase(flags, async (client) => {
    const { run: number } = await replay(client, {
      ...ownOptions(options),
      model,
      fromTime: from,
      toTime: to,
      wait: false,
    });
    if (!wait) {
      output.result({ run: number, state: 'queued' }, () => `Run ${number} is queued: pgscore runs ${number}`);
      return;
    }
    await followRun(client, number, output);
    const done = await readRun(client, number);
    output.result(done, () => {
      const { model: version, source, target, rows_done, rows_failed, rows_per_second, cpu_seconds } = done;
      const history = `${target}_history`;
      return `${listOf({ run: number, model: version, source, history, rows_done, rows_failed, rows_per_second, cpu_seconds })}

Compared with the champion: select * from pgscore_bi.version_comparison where replay_run = ${number};`;
    });
  });
}

function needsEventTime(): PgscoreError {
  return new PgscoreError('usage', '--source needs --event-time', {
    remedy: 'Name the column that says what time a row is for: by it labels find what was predicted.',
  });
}
