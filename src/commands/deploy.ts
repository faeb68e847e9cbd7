import type { Command } from 'commander';
import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { awaitVerdict } from './await-verdict.ts';
import { readExpectedRows } from './expected-rows.ts';
import { callFunction, type Argument } from './function-call.ts';
import { databaseCommand, invocation } from './invocation.ts';
import { readModelFile } from './model-file.ts';
import { describeModel } from './models.ts';
import { jsonOption, namesOption, numberOption } from './options.ts';
import { listOf } from './output.ts';
import { inDatabase } from './connection.ts';

const DESCRIPTION = `Deploys an ONNX file as the next version of a model, and waits until the service has checked it.

The first version that passes the check becomes the champion of its model; later ones serve after pgscore promote. The
weights of a data file beside the model (model.onnx.data, as PyTorch writes it) are taken in. The exit status is 0 for a
version that is ready and 65 for one that was rejected; the reason and the remedy are printed.`;

const EXAMPLES = `
Examples:
  pgscore deploy churn.onnx --model churn
  pgscore deploy churn.onnx --model churn --features tenure,monthly_charges,contract
  pgscore deploy churn.onnx --model churn --expect expected.csv --alias challenger`;

type Options = {
  model: string;
  features?: string[];
  classLabels?: string[];
  positiveClass?: string;
  threshold?: number;
  task?: string;
  nulls?: string;
  nullValues?: unknown;
  expect?: string;
  alias?: string;
  native: boolean;
  wait: boolean;
};

export function addDeploy(program: Command): void {
  databaseCommand(program, 'deploy')
    .summary('deploy an ONNX file as the next version of a model')
    .description(DESCRIPTION)
    .argument('<file>', 'the ONNX file')
    .requiredOption('--model <name>', 'name of the model')
    .option(
      '--features <a,b>',
      'columns of a matrix input, in order, where the file does not name them',
      namesOption('--features'),
    )
    .option(
      '--class-labels <a,b>',
      'classes, in the order of the probabilities, where the file does not say',
      namesOption('--class-labels'),
    )
    .option('--positive-class <class>', 'class whose probability is the score (default: the last of two)')
    .option(
      '--threshold <p>',
      "probability from which the positive class is predicted (default: the model's own label)",
      numberOption('--threshold'),
    )
    .option('--task <task>', 'binary, multiclass or regression (default: found by the check)')
    .option('--nulls <rule>', 'auto, error or nan: what a NULL in a number feature becomes (default: auto)')
    .option('--null-values <json>', 'values in place of NULL: {"feature": value}', jsonOption('--null-values'))
    .option('--expect <rows.csv>', 'rows with the predictions of the training framework, which the version must match')
    .option('--alias <name>', 'point this alias at the version when it is ready')
    .option('--no-native', 'compile it to no function, whose source whoever may connect could read')
    .option('--no-wait', 'return at once; the check goes on')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: Options, command: Command) => deploy(file, options, command));
}

async function deploy(file: string, options: Options, command: Command): Promise<void> {
  const { flags, output } = invocation(command);
  if (!options.wait && options.alias !== undefined) throw aliasNeedsVerdict();
  const args = await deployArguments(file, options);
  await inDatabase(flags, async (client) => {
    const version = String(await callFunction(client, 'pgscore.deploy', args));
    if (!options.wait) {
      output.result({ version, state: 'checking' }, () => `${version} is being checked: pgscore models ${version}`);
      return;
    }
    await awaitVerdict(client, version, output);
    if (options.alias !== undefined) await pointAlias(client, version, options.alias);
    const described = await describeModel(client, version);
    output.result(described, () => listOf(described));
  });
}

async function deployArguments(file: string, options: Options): Promise<Argument[]> {
  return [
    ['model', 'text', options.model],
    ['bytes', 'bytea', await readModelFile(file)],
    ['features', 'text[]', options.features],
    ['class_labels', 'text[]', options.classLabels],
    ['positive_class', 'text', options.positiveClass],
    ['threshold', 'float8', options.threshold],
    ['task', 'text', options.task],
    ['nulls', 'text', options.nulls],
    ['null_values', 'jsonb', options.nullValues],
    ['native', 'boolean', options.native ? undefined : false],
    ['expect', 'jsonb', options.expect === undefined ? undefined : await readExpectedRows(options.expect)],
  ];
}

async function pointAlias(client: pg.Client, version: string, alias: string): Promise<void> {
  await callFunction(client, 'pgscore.set_alias', [
    ['version', 'text', version],
    ['alias', 'text', alias],
  ]);
}

function aliasNeedsVerdict(): PgscoreError {
  return new PgscoreError('usage', '--alias needs a version that is ready, which --no-wait does not wait for', {
    remedy: 'Leave one of them out; pgscore alias VERSION NAME can be run later.',
  });
}
