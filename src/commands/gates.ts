import type { Command } from 'commander';
import type { Argument } from '../client/connection.ts';
import { PgscoreError } from '../errors.ts';
import { inDatabase } from './connection.ts';
import { commandGroup, countOption, databaseCommand, invocation, numberOption } from './options.ts';
import { tableOf } from './output.ts';
import { printCall, printRows } from './print.ts';

const DESCRIPTION = `Says what a version must pass before it becomes the champion of its model.`;

const SET_DESCRIPTION = `Sets a gate in place of the one of its name.

KIND is golden: the predictions of a small table equal expected ones; not_worse: it is not worse than another version by more than a
margin; or no_segment_worse: not in any segment of the model.`;

const EXAMPLES = `
Examples:
  pgscore gates set churn golden --source churn_golden --expected expected_score
  pgscore gates set churn not_worse --metric roc_auc --margin 0.005 --minimum-labels 500
  pgscore gates set churn no_segment_worse --metric recall_score --margin 0.02`;

type SetOptions = {
  metric?: string;
  margin?: number;
  against?: string;
  minimumLabels?: number;
  by?: string;
  target?: string;
  source?: string;
  expected?: string;
  tolerance?: number;
  name?: string;
};

export function addGates(program: Command): void {
  const summary = 'what a version must pass before it is promoted: list, set, check, drop';
  const gates = commandGroup(program, 'gates', summary, DESCRIPTION);
  addList(gates);
  addSet(gates);
  addCheck(gates);
  addDrop(gates);
}

function addList(gates: Command): void {
  databaseCommand(gates, 'list')
    .summary('list gates')
    .description('Lists the gates of all models, or of one.')
    .argument('[model]', 'of one model')
    .action((model: string | undefined, _options, command: Command) =>
      printRows(command, {
        text: 'select * from pgscore.gates where $1::text is null or model = $1 order by model, gate',
        values: [model ?? null],
        model,
        nothing: 'No gates yet: pgscore gates set MODEL KIND',
      }),
    );
}

function addSet(gates: Command): void {
  databaseCommand(gates, 'set')
    .summary('set a gate')
    .description(SET_DESCRIPTION)
    .argument('<model>', 'such as churn')
    .argument('<kind>', 'golden, not_worse or no_segment_worse')
    .option('--metric <metric>', 'the metric of pgscore_bi.version_comparison that it goes by')
    .addOption(numberOption('--margin <n>', 'how much worse the version may be'))
    .option('--against <version>', 'champion or predecessor (default: champion)')
    .addOption(countOption('--minimum-labels <n>', 'labels that the metric must count for both versions (default: 30)'))
    .option('--by <column>', 'one segment column (default: all of them)')
    .option('--target <target>', 'of several targets or labels, the one to go by (default: each must pass)')
    .option('--source <table>', 'of golden rows, a table or view')
    .option('--expected <column>', 'the column of it that holds the expected score or label')
    .addOption(numberOption('--tolerance <n>', 'how far a prediction may be off (default: 1e-5)'))
    .option('--name <name>', 'default: the kind, the metric and the target')
    .addHelpText('after', EXAMPLES)
    .action((model: string, kind: string, options: SetOptions, command: Command) =>
      printCall(command, 'pgscore.set_gate', setArguments(model, kind, options), (gate) => [
        { model, gate },
        `${model} has the gate ${String(gate)}.`,
      ]),
    );
}

function setArguments(model: string, kind: string, options: SetOptions): Argument[] {
  return [
    ['model', 'text', model],
    ['kind', 'text', kind],
    ['metric', 'text', options.metric],
    ['margin', 'float8', options.margin],
    ['against', 'text', options.against],
    ['minimum_labels', 'bigint', options.minimumLabels],
    ['by', 'text', options.by],
    ['target', 'text', options.target],
    ['source', 'regclass', options.source],
    ['expected', 'text', options.expected],
    ['tolerance', 'float8', options.tolerance],
    ['name', 'text', options.name],
  ];
}

type Verdict = {
  gate: string;
  passed: boolean;
  value: number | null;
  low: number | null;
  high: number | null;
  needs: string | null;
  reason: string;
};

function addCheck(gates: Command): void {
  databaseCommand(gates, 'check')
    .summary('whether a version passes')
    .description(
      'Tells whether a version passes the gates of its model, each with the reason. The exit status is 1 where it does not.',
    )
    .argument('<version>', 'such as churn@2')
    .action(async (version: string, _options, command: Command) => {
      const { flags, output } = invocation(command);
      const text = 'select * from pgscore.check_gates($1)';
      const { rows } = await inDatabase(flags, (client) => client.query<Verdict>(text, [version]));
      output.result(rows, () => tableOf(rows, 'Its model has no gates: pgscore gates set MODEL KIND'));
      refuseNotPassed(version, rows);
    });
}

function refuseNotPassed(version: string, verdicts: readonly Verdict[]): void {
  const gates = verdicts.filter(({ passed }) => !passed).map(({ gate }) => gate);
  if (gates.length === 0) return;
  throw new PgscoreError('gates_not_passed', `${version} does not pass ${gates.join(', ')}`, {
    remedy: `What it needs comes with labels of an experiment, a shadow or a replay: pgscore experiment start, pgscore replay. To promote it all the same: pgscore promote ${version} --force --reason '…'.`,
  });
}

function addDrop(gates: Command): void {
  databaseCommand(gates, 'drop')
    .summary('drop a gate')
    .description('Drops a gate of a model.')
    .argument('<model>', 'such as churn')
    .argument('<gate>', 'its name: pgscore gates list')
    .action((model: string, gate: string, _options, command: Command) => {
      const args: Argument[] = [
        ['model', 'text', model],
        ['gate', 'text', gate],
      ];
      return printCall(command, 'pgscore.drop_gate', args, () => [
        { model, gate },
        `${model} no longer has the gate ${gate}.`,
      ]);
    });
}
