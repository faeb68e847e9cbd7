import type { Command } from 'commander';
import { jsonOption, namesOption, numberOption } from './options.ts';

/** How a source is read, and where its predictions go. */
export function addReadOptions(command: Command): Command {
  return command
    .option('--target <name>', 'view with the latest prediction for each key (default: the source and _scores)')
    .option('--target-schema <schema>', 'where it is (default: your current schema)')
    .option('--key <a,b>', 'columns that identify a row (default: the primary key)', namesOption('--key'))
    .option('--event-time <column>', 'column that says what time a prediction is for')
    .option(
      '--column-map <json>',
      'columns of features that have another name: {"feature": "column"}',
      jsonOption('--column-map'),
    )
    .option(
      '--rls <rule>',
      'error or filter: fail where a row-level policy hides rows, or score those you see (default: error)',
    );
}

/** The same for a run over the whole source. */
export function addSourceOptions(command: Command): Command {
  return addReadOptions(command)
    .option('--publish', 'show the predictions as the latest ones, though the version is not champion')
    .option('--no-publish', 'keep the predictions to the history')
    .option(
      '--error-limit <n>',
      'failed rows beyond which the run fails (default: the larger of 1 % and 1,000)',
      numberOption('--error-limit'),
    )
    .option('--only-changed', 'score only rows that are new or changed since the last such run into the target');
}
