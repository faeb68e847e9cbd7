import type { Command } from 'commander';
import type { Argument } from '../client/connection.ts';
import { PgscoreError } from '../errors.ts';
import { inDatabase } from './connection.ts';
import { commandGroup, databaseCommand, invocation, namesOption, numberOption } from './options.ts';
import { tableOf, type Row } from './output.ts';
import { describeModel, printCall, printRows } from './print.ts';

const DESCRIPTION = `Has other versions of a model answer for a share of entities, or score in its shadow.`;

const START_DESCRIPTION = `Starts an experiment. One runs for each model at most.

KIND is canary or ab: each arm answers for a share of entities, and the champion for the rest; or shadow: the champion answers, and the
arms score the same rows and calls afterwards, for the history. ARM is a version and its percent of entities; of a shadow 100.`;

const EXAMPLES = `
Examples:
  pgscore experiment start churn canary churn@4=10 --split-by customer_id --until 2026-12-31
  pgscore experiment start churn shadow churn@5=100 --sampling 0.2
  pgscore experiment set churn churn@4=25
  pgscore experiment stop churn --promote churn@4`;

const NONE = 'No experiments yet: pgscore experiment start MODEL canary VERSION=PERCENT --split-by COLUMN';

type StopOptions = { promote?: string; force?: boolean; reason?: string };
type StartOptions = { splitBy?: string[]; sampling?: number; until?: string };

export function addExperiment(program: Command): void {
  const summary = 'give versions a share of the traffic: start, set, results, stop, list';
  const experiment = commandGroup(program, 'experiment', summary, DESCRIPTION);
  addStart(experiment);
  addSet(experiment);
  addResults(experiment);
  addStop(experiment);
  addList(experiment);
}

function addStart(experiment: Command): void {
  databaseCommand(experiment, 'start')
    .summary('start an experiment')
    .description(START_DESCRIPTION)
    .argument('<model>', 'such as churn')
    .argument('<kind>', 'canary, ab or shadow')
    .argument('<arm...>', 'such as churn@4=10')
    .addOption(namesOption('--split-by <columns>', 'columns that say which entity a row is of'))
    .addOption(numberOption('--sampling <share>', 'which share of entities a shadow scores (default: 1)'))
    .option('--until <time>', 'when the service stops it')
    .addHelpText('after', EXAMPLES)
    .action((model: string, kind: string, arms: string[], options: StartOptions, command: Command) => {
      const args: Argument[] = [
        ['model', 'text', model],
        ['kind', 'text', kind],
        ['arms', 'jsonb', weights(arms)],
        ['split_by', 'text[]', options.splitBy],
        ['sampling', 'float8', options.sampling],
        ['until', 'timestamptz', options.until],
      ];
      return printCall(command, 'pgscore.start_experiment', args, (experiment) => [
        { model, experiment },
        `Experiment ${String(experiment)} of ${model} is running.`,
      ]);
    });
}

/** Versions and percents out of arguments such as churn@4=10. */
function weights(arms: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    arms.map((arm) => {
      const [version = '', percent = ''] = arm.split('=');
      if (version === '' || percent.trim() === '' || !Number.isFinite(Number(percent))) {
        throw new PgscoreError('usage', `"${arm}" is not an arm`, {
          remedy: 'Write a version and its percent: churn@4=10.',
        });
      }
      return [version, Number(percent)];
    }),
  );
}

function addSet(experiment: Command): void {
  databaseCommand(experiment, 'set')
    .summary('give arms larger shares')
    .description('Gives arms of the running experiment larger shares of entities. Every entity of an arm stays in it.')
    .argument('<model>', 'such as churn')
    .argument('<arm...>', 'such as churn@4=25')
    .action((model: string, arms: string[], _options, command: Command) => {
      const args: Argument[] = [
        ['model', 'text', model],
        ['arms', 'jsonb', weights(arms)],
      ];
      return printCall(command, 'pgscore.set_arms', args, (all) => [
        { model, arms: all },
        `The arms of ${model} are ${JSON.stringify(all)}.`,
      ]);
    });
}

function addStop(experiment: Command): void {
  databaseCommand(experiment, 'stop')
    .summary('stop an experiment')
    .description('Stops the running experiment of a model: its champion answers for all entities.')
    .argument('<model>', 'such as churn')
    .option('--promote <version>', 'the arm to promote; it must pass the gates of the model')
    .option('--force', 'promote it also where it does not pass a gate; needs --reason')
    .option('--reason <text>', 'why, for the log of changes')
    .action((model: string, { promote, force, reason }: StopOptions, command: Command) => {
      const args: Argument[] = [
        ['model', 'text', model],
        ['promote', 'text', promote],
        ['force', 'boolean', force],
        ['reason', 'text', reason],
      ];
      return printCall(command, 'pgscore.stop_experiment', args, (champion) => [
        { model, champion },
        `The experiment has stopped; ${String(champion)} answers.`,
      ]);
    });
}

function addResults(experiment: Command): void {
  databaseCommand(experiment, 'results')
    .summary('which arm is better')
    .description(
      'Tells how the arms of the experiments of a model do against its champion, the newest first, with a verdict for each metric. ' +
        'A gate goes by the newest one that has labels enough, and names it.',
    )
    .argument('<model>', 'such as churn')
    .action(async (model: string, _options, command: Command) => {
      const { flags, output } = invocation(command);
      const text = `select experiment, model_version, metric, n, value, difference, always_valid_low, always_valid_high, verdict, reason
          from pgscore_bi.experiment_results where model_name = $1 order by experiment desc, is_champion, model_version desc, metric`;
      const { rows, empty } = await inDatabase(flags, async (client) => {
        const results = await client.query<Row>(text, [model]);
        const known = await client.query(EXPERIMENTS, [model]);
        if (known.rows.length === 0) await describeModel(client, model);
        return { rows: results.rows, empty: known.rows.length > 0 ? notJudged(model) : NONE };
      });
      output.result(rows, () => tableOf(rows, empty));
    });
}

const EXPERIMENTS =
  'select * from pgscore.experiments where $1::text is null or model = $1 order by experiment_id desc';

/** Experiments are judged of classifiers of two or more classes and of regressions of one value. */
const notJudged = (model: string): string =>
  `An experiment of a model of this task is not judged. pgscore_bi has the metrics of each version:
  select * from pgscore_bi.regression_performance_daily where model_name = '${model}' and segment_key is null;
  select * from pgscore_bi.binary_performance_daily where model_name = '${model}' and segment_key is null;`;

function addList(experiment: Command): void {
  databaseCommand(experiment, 'list')
    .summary('list experiments')
    .description('Lists the experiments of all models, or of one, the newest first.')
    .argument('[model]', 'of one model')
    .action((model: string | undefined, _options, command: Command) =>
      printRows(command, { text: EXPERIMENTS, values: [model ?? null], model, nothing: NONE }),
    );
}
