import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import type { Command } from 'commander';
import { CsvError, parse } from 'csv-parse/sync';
import { deploy, setAlias, waitForVersion, type DeployOptions } from '../client/deploy.ts';
import { readModelFile, unreadable } from '../client/model-file.ts';
import { PgscoreError } from '../errors.ts';
import { databaseCommand, invocation, jsonOption, namesOption, numberOption, ownOptions } from './options.ts';
import { printVersion } from './print.ts';
import { spin } from './output.ts';
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

type Options = Omit<DeployOptions, 'expect' | 'wait'> & { readonly expect?: string; readonly wait: boolean };

export function addDeploy(program: Command): void {
  databaseCommand(program, 'deploy')
    .summary('deploy an ONNX file as the next version of a model')
    .description(DESCRIPTION)
    .argument('<file>', 'the ONNX file')
    .requiredOption('--model <name>', 'name of the model')
    .addOption(
      namesOption('--features <a,b>', 'columns of a matrix input, in order, where the file does not name them'),
    )
    .addOption(
      namesOption('--class-labels <a,b>', 'classes, in the order of the probabilities, where the file does not say'),
    )
    .option('--positive-class <class>', 'class whose probability is the score (default: the last of two)')
    .addOption(
      numberOption(
        '--threshold <p>',
        "probability from which the positive class is predicted (default: the model's own label)",
      ),
    )
    .option('--logits', 'the model returns logits or log-probabilities: make probabilities of them')
    .addOption(namesOption('--targets <a,b>', 'values of a row, in their order, of a model that gives several'))
    .option(
      '--task <task>',
      'binary, multiclass, regression, multi_target, multilabel, quantiles, embedding, clustering or anomaly (default: found by the check)',
    )
    .option('--nulls <rule>', 'auto, error or nan: what a NULL in a number feature becomes (default: auto)')
    .addOption(jsonOption('--null-values <json>', 'values in place of NULL: {"feature": value}'))
    .option('--expect <rows.csv>', 'rows with the predictions of the training framework, which the version must match')
    .option('--trained-until <time>', 'when the training data end (default: as the file says)')
    .option('--alias <name>', 'point this alias at the version when it is ready')
    .option('--no-native', 'compile it to no function, whose source whoever may connect could read')
    .option('--no-wait', 'return at once; the check goes on')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: Options, command: Command) => run(file, options, command));
}

async function run(file: string, options: Options, command: Command): Promise<void> {
  const { flags, output } = invocation(command);
  if (!options.wait && options.alias !== undefined) throw aliasNeedsVerdict();
  const bytes = await readModelFile(file);
  const expect = options.expect === undefined ? undefined : await readExpectedRows(options.expect);
  await inDatabase(flags, async (client) => {
    const { version } = await deploy(client, bytes, { ...ownOptions(options), expect, alias: undefined, wait: false });
    if (!options.wait) {
      output.result({ version, state: 'checking' }, () => `${version} is being checked: pgscore models ${version}`);
      return;
    }
    const stop = spin(output, `Checking ${version}`);
    await waitForVersion(client, version, { onNotice: (notice) => output.note(notice) }).finally(stop);
    if (options.alias !== undefined) await setAlias(client, version, options.alias);
    await printVersion(client, output, version);
  });
}

function aliasNeedsVerdict(): PgscoreError {
  return new PgscoreError('usage', '--alias needs a version that is ready, which --no-wait does not wait for', {
    remedy: 'Leave one of them out; pgscore alias VERSION NAME can be run later.',
  });
}

/** A row as CSV has it: every value as text, an empty cell as NULL. The check reads numbers out of the text of numeric features. */
type CsvRow = Readonly<Record<string, string | null>>;

/** The rows of a CSV file with a header, which may be gzipped (`.gz`): features and `expected_…` columns. */
export async function readExpectedRows(file: string): Promise<CsvRow[]> {
  const bytes = await readFile(file).catch((cause: unknown) => unreadable(file, cause));
  return parseRows(file.endsWith('.gz') ? gunzipped(file, bytes) : bytes, file);
}

/** @throws PgscoreError `model_expectation_wrong` where the text is no CSV with a header and rows */
export function parseRows(text: string | Buffer, file: string): CsvRow[] {
  try {
    const rows: CsvRow[] = parse(text, { bom: true, columns: distinctNames, skip_empty_lines: true, cast });
    if (rows.length > 0) return rows;
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw wrong(`${file} is not CSV: ${cause.message}`, cause);
  }
  throw wrong(`${file} has no rows`);
}

/** As PostgreSQL reads CSV: nothing between two commas is NULL, "" is an empty text. */
function cast(value: string, { header, quoting }: { header: boolean; quoting: boolean }): string | null {
  return value === '' && !quoting && !header ? null : value;
}

function distinctNames(names: string[]): string[] {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return names;
  throw wrong(`the header names "${twice}" twice`);
}

function gunzipped(file: string, bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw wrong(`${file} is not a gzip file`, cause);
  }
}

function wrong(message: string, cause?: unknown): PgscoreError {
  return new PgscoreError('model_expectation_wrong', message, {
    remedy:
      'Write a header with the features and expected_score (or expected_label), then a row a line: DataFrame.to_csv(index=False).',
    cause,
  });
}
