import type { Command } from 'commander';
import type { Argument } from './function-call.ts';
import { jsonOption, namesOption, numberOption } from './options.ts';

/** What scoring once and scoring on a schedule ask alike. */
export type SourceOptions = {
  target?: string;
  targetSchema?: string;
  key?: string[];
  eventTime?: string;
  columnMap?: unknown;
  publish?: boolean;
  rls?: string;
  errorLimit?: number;
};

export function addSourceOptions(command: Command): Command {
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
    .option('--publish', 'show the predictions as the latest ones, though the version is not champion')
    .option('--no-publish', 'keep the predictions to the history')
    .option(
      '--rls <rule>',
      'error or filter: fail where a row-level policy hides rows, or score those you see (default: error)',
    )
    .option(
      '--error-limit <n>',
      'failed rows beyond which the run fails (default: the larger of 1 % and 1,000)',
      numberOption('--error-limit'),
    );
}

/** The arguments of score_table() and schedule() that these options are. The source is looked up as the caller would. */
export function sourceArguments(model: string, source: string, options: SourceOptions): Argument[] {
  return [
    ['model', 'text', model],
    ['source', 'regclass', source],
    ['key', 'text[]', options.key],
    ['target', 'name', options.target],
    ['target_schema', 'name', options.targetSchema],
    ['event_time', 'text', options.eventTime],
    ['column_map', 'jsonb', options.columnMap],
    ['publish', 'boolean', options.publish],
    ['rls', 'text', options.rls],
    ['error_limit', 'bigint', options.errorLimit],
  ];
}
