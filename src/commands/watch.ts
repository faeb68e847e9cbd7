import type { Command } from 'commander';
import type { Argument } from '../client/connection.ts';
import { sourceArguments, type SourceOptions } from '../client/runs.ts';
import { addReadOptions, databaseCommand, jsonOption } from './options.ts';
import { columns, printCall, printRows } from './print.ts';

const DESCRIPTION = `Follows a source: scores its rows as they are written, and removes those that are deleted from the target.

Rows that are there already are scored, too. Called again for the same target, it changes the watch. Intervals are written as in
SQL: '30 s', '1 day'.`;

const EXAMPLES = `
Examples:
  pgscore watch churn customers --target churn_live
  pgscore watch churn customer_features --key customer_id --on-change-of '{"customers": "customer_id", "orders": "customer_id"}'
  pgscore watch churn crm.accounts --capture poll --poll-every '1 min'`;

type WatchOptions = Omit<SourceOptions, 'publish' | 'errorLimit'> & {
  onChangeOf?: unknown;
  capture?: string;
  pollEvery?: string;
  rescoreEvery?: string;
  onPromote?: string;
  keepHistory?: string;
  notify?: string;
};

export function addWatchCommands(program: Command): void {
  addWatch(program);
  addWatches(program);
  addControls(program);
}

function addWatch(program: Command): void {
  const command = databaseCommand(program, 'watch')
    .summary('score the rows of a source as they change')
    .description(DESCRIPTION)
    .argument('<model>', 'churn (its champion at each time), churn@3 or churn@challenger')
    .argument('<source>', 'table or view');
  addReadOptions(command)
    .addOption(
      jsonOption(
        '--on-change-of <json>',
        'of a view, the tables whose changes count, with the column of each that holds the key: {"table": "column"}',
      ),
    )
    .option('--capture <how>', 'triggers, poll, or auto: triggers where you may put them (default: auto)')
    .option('--poll-every <interval>', 'how often a source that is polled is read (default: 30 seconds)')
    .option('--rescore-every <interval>', 'how often the whole source is compared (default: hourly beside triggers)')
    .option(
      '--on-promote <rule>',
      'rescore or keep: what a new champion does with rows that do not change (default: rescore)',
    )
    .option(
      '--keep-history <interval>',
      'how long replaced predictions stay (default: until they are counted for labels)',
    )
    .option('--notify <channel>', 'channel that hears of each publication')
    .addHelpText('after', EXAMPLES)
    .action((model: string, source: string, options: WatchOptions) => {
      const args = [...sourceArguments(model, source, options), ...watchArguments(options)];
      return printCall(command, 'pgscore.watch', args, (capture) => [
        { model, source, capture },
        `Source "${source}" is watched (${String(capture)}): pgscore watches`,
      ]);
    });
}

function watchArguments(options: WatchOptions): Argument[] {
  return [
    ['on_change_of', 'jsonb', options.onChangeOf],
    ['capture', 'text', options.capture],
    ['poll_every', 'interval', options.pollEvery],
    ['rescore_every', 'interval', options.rescoreEvery],
    ['on_promote', 'text', options.onPromote],
    ['keep_history', 'interval', options.keepHistory],
    ['notify', 'text', options.notify],
  ];
}

function addWatches(program: Command): void {
  databaseCommand(program, 'watches')
    .summary('list your watches')
    .description(`Lists your watches, with how far behind they are. Deployers see everybody's.`)
    .action((_options, command: Command) =>
      printRows(command, {
        text: WATCHES,
        shown: columns('model, source, target, capture, state, pending, delay_p50, delay_p95, error, remedy'),
        nothing: 'No watches yet: pgscore watch MODEL SOURCE',
      }),
    );
}

const WATCHES = `select model, source, target, capture, state, pending, oldest_pending, delay_p50::text, delay_p95::text,
    rows_scored, rows_unchanged, error_code, error, remedy, compared_at, rows_compared,
    poll_every::text, rescore_every::text, keep_history::text, on_promote, notify, owner, created_at, published
  from pgscore.watches order by target, model`;

type Control = { name: string; called: string; summary: string; outcome: string };

const CONTROLS: readonly Control[] = [
  {
    name: 'pause-watch',
    called: 'pgscore.pause_watch',
    summary: 'stop a watch from scoring; changes are still captured',
    outcome: 'is paused',
  },
  {
    name: 'resume-watch',
    called: 'pgscore.resume_watch',
    summary: 'let a paused watch score what changed meanwhile',
    outcome: 'goes on',
  },
  {
    name: 'unwatch',
    called: 'pgscore.unwatch',
    summary: 'end a watch; the target stays with its predictions',
    outcome: 'has ended',
  },
];

function addControls(program: Command): void {
  for (const { name, called, summary, outcome } of CONTROLS) {
    databaseCommand(program, name)
      .summary(summary)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
      .argument('<target>', 'target of the watch; schema.name where it is not in your current schema')
      .option('--model <model>', 'which, where the target has several watches: churn or churn@2')
      .action((target: string, { model }: { model?: string }, command: Command) => {
        const args: Argument[] = [
          ['target', 'text', target],
          ['model', 'text', model],
        ];
        return printCall(command, called, args, () => [{ target, model }, `The watch of "${target}" ${outcome}.`]);
      });
  }
}
