import type { Command } from 'commander';
import { sql } from 'kysely';
import type pg from 'pg';
import { callFunction, type Argument } from '../client/connection.ts';
import { sourceArguments, type SourceOptions } from '../client/runs.ts';
import { catalog, rowsOf } from '../postgres/catalog.ts';
import { inDatabase, inPersonsDatabase } from './connection.ts';
import { databaseCommand, invocation, jsonOption, addReadOptions } from './options.ts';
import { tableOf, type Row } from './output.ts';

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
    .option(
      '--on-change-of <json>',
      'of a view, the tables whose changes count, with the column of each that holds the key: {"table": "column"}',
      jsonOption('--on-change-of'),
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
    .action(async (model: string, source: string, options: WatchOptions) => {
      const { flags, output } = invocation(command);
      const args = [...sourceArguments(model, source, options), ...watchArguments(options)];
      const capture = await inPersonsDatabase(flags, (client) => callFunction(client, 'pgscore.watch', args));
      output.result(
        { model, source, capture },
        () => `Source "${source}" is watched (${String(capture)}): pgscore watches`,
      );
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
    .action(async (_options, command: Command) => {
      const { flags, output } = invocation(command);
      const watches = await inDatabase(flags, listWatches);
      output.result(watches, () => tableOf(watches.map(briefly), 'No watches yet: pgscore watch MODEL SOURCE'));
    });
}

type Watch = Awaited<ReturnType<typeof listWatches>>[number];

function listWatches(client: pg.Client) {
  const interval = <const Name extends string>(name: Name) => sql<string | null>`${sql.ref(name)}::text`.as(name);
  return rowsOf(
    client,
    catalog
      .selectFrom('pgscore.watches')
      .select(['model', 'source', 'target', 'capture', 'state', 'pending', 'oldest_pending'])
      .select([interval('delay_p50'), interval('delay_p95')])
      .select(['rows_scored', 'rows_unchanged', 'error_code', 'error', 'remedy', 'compared_at', 'rows_compared'])
      .select([interval('poll_every'), interval('rescore_every'), interval('keep_history')])
      .select(['on_promote', 'notify', 'owner', 'created_at', 'published'])
      .orderBy('target')
      .orderBy('model'),
  );
}

function briefly({ model, source, target, capture, state, pending, delay_p50, delay_p95, error, remedy }: Watch): Row {
  return { model, source, target, capture, state, pending, delay_p50, delay_p95, error, remedy };
}

type Control = { name: string; called: string; summary: string; told: string };

const CONTROLS: readonly Control[] = [
  {
    name: 'pause-watch',
    called: 'pgscore.pause_watch',
    summary: 'stop a watch from scoring; changes are still captured',
    told: 'is paused',
  },
  {
    name: 'resume-watch',
    called: 'pgscore.resume_watch',
    summary: 'let a paused watch score what changed meanwhile',
    told: 'goes on',
  },
  {
    name: 'unwatch',
    called: 'pgscore.unwatch',
    summary: 'end a watch; the target stays with its predictions',
    told: 'has ended',
  },
];

function addControls(program: Command): void {
  for (const { name, called, summary, told } of CONTROLS) {
    databaseCommand(program, name)
      .summary(summary)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
      .argument('<target>', 'target of the watch; schema.name where it is not in your current schema')
      .option('--model <model>', 'which, where the target has several watches: churn or churn@2')
      .action(async (target: string, { model }: { model?: string }, command: Command) => {
        const { flags, output } = invocation(command);
        const args: Argument[] = [
          ['target', 'text', target],
          ['model', 'text', model],
        ];
        await inPersonsDatabase(flags, (client) => callFunction(client, called, args));
        output.result({ target, model }, () => `The watch of "${target}" ${told}.`);
      });
  }
}
